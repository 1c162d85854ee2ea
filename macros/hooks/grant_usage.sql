{#
    Lets the readers into the marts' schema. Their tables are granted by dbt's own
    grants, in the transaction that builds each.
    https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html
#}
{% macro grant_usage() %}
    {{ return(adapter.dispatch("grant_usage")()) }}
{% endmacro %}

{# DuckDB has no users. #}
{% macro duckdb__grant_usage() %}
{% endmacro %}

{% macro redshift__grant_usage() %}
    {% set role = env_var("DBT_READER_ROLE", "") %}
    {% if execute and role %}
        {{ return(
            "grant usage on schema " ~ adapter.quote(target.schema)
            ~ " to role " ~ adapter.quote(role)
        ) }}
    {% endif %}
{% endmacro %}
