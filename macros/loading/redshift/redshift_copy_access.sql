{#
    As whom COPY reads S3, and in which region the buckets are.
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
