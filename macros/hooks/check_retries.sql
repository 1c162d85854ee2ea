{#
    Stops commands that would write on Redshift through a connection with `retries`. After
    some errors (a relation that another session dropped, a conflict with a concurrent
    transaction) dbt-redshift would open another connection and send the failed statement
    alone. What its transaction had done before is undone, its locks are gone, and the
    model is reported as built. If dbt-redshift does not show its `retries`, they count as
    set.
    https://docs.getdbt.com/docs/local/connect-data-platform/redshift-setup
#}
{% macro check_retries() %}
    {{ return(adapter.dispatch("check_retries")()) }}
{% endmacro %}

{# dbt-duckdb repeats no statement of a file's database. #}
{% macro duckdb__check_retries() %}
{% endmacro %}

{% macro redshift__check_retries() %}
    {% set retries = target.get("retries", "unknown") %}
    {% if execute and retries != 0 %}
        {% do exceptions.raise_compiler_error(
            "The target " ~ target.name ~ " has retries: " ~ retries ~ ". After some"
            ~ " errors dbt-redshift would send the failed statement alone on another"
            ~ " connection: what its transaction had done before would be lost, and the"
            ~ " run would succeed. Set `retries: 0` in the target's output in profiles.yml,"
            ~ " in dbt Cloud in the extended attributes of the environment."
        ) %}
    {% endif %}
{% endmacro %}
