{#
    Stops what would write on Redshift through a connection with `retries`. After some
    errors (a relation that another session dropped, a conflict with a concurrent
    transaction) dbt-redshift then opens another connection and sends there the one
    statement that failed. What its transaction had done before is undone, its locks are
    gone, and the model is reported as built. A version of dbt-redshift that does not
    tell its `retries` is taken for one that has some.
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
            "The target " ~ target.name ~ " has retries: " ~ retries ~ ". With it,"
            ~ " dbt-redshift answers some errors by sending the statement that failed"
            ~ " again, by itself, on another connection: what its transaction had done"
            ~ " before is lost, and the run succeeds. Set `retries: 0` in the target's"
            ~ " output in profiles.yml, in dbt Cloud in the extended attributes of the"
            ~ " environment."
        ) %}
    {% endif %}
{% endmacro %}
