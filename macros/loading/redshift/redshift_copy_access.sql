{#
    The role that COPY reads S3 with, and the region of the buckets.
    https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-authorization.html
#}
{% macro redshift_copy_access() -%}
{%- set role = env_var("DBT_COPY_IAM_ROLE", "") | trim or "default" -%}
{%- set region = env_var("DBT_COPY_REGION", "") | trim -%}
iam_role {{ "default" if role == "default" else sql_literal(role) }}
{%- if region %}
region {{ sql_literal(region) }}
{%- endif %}
{%- endmacro %}
