{#
    Grants the readers usage of the marts' schema once a run has built it. dbt's own grants
    cover the tables, in the transaction that builds each.
    https://docs.aws.amazon.com/redshift/latest/dg/r_GRANT.html
#}
{% macro grant_usage(results) %}
    {{ return(adapter.dispatch("grant_usage")(results)) }}
{% endmacro %}

{# DuckDB has no users. #}
{% macro duckdb__grant_usage(results) %}
{% endmacro %}

{% macro redshift__grant_usage(results) %}
    {% set role = env_var("DBT_READER_ROLE", "") | trim %}
    {% set built = results | selectattr("status", "equalto", "success")
        | map(attribute="node.schema") | list %}
    {% if role and target.schema in built %}
        {{ return(
            "grant usage on schema " ~ adapter.quote(target.schema)
            ~ " to role " ~ adapter.quote(role)
        ) }}
    {% endif %}
{% endmacro %}
