{#
    At the start of a run that builds incremental models or seeds: creates the table
    that lock_builds locks, which stays empty.
#}
{% macro create_build_lock() %}
    {% if execute %}
        {% set those_that_lock = graph.nodes.values()
            | selectattr("unique_id", "in", selected_resources)
            | selectattr("config.materialized", "in", ["incremental", "seed"])
            | list %}
        {% if those_that_lock %}
            {{ return(adapter.dispatch("create_build_lock")()) }}
        {% endif %}
    {% endif %}
{% endmacro %}

{% macro duckdb__create_build_lock() %}
{% endmacro %}

{# A user who may not create schemas may still build into one that was made for it. #}
{% macro redshift__create_build_lock() %}
    {% set lock = build_lock() %}
    {% if not adapter.check_schema_exists(target.dbname, lock.schema) %}
        {% do adapter.create_schema(lock) %}
    {% endif %}
    {{ return("create table if not exists " ~ lock ~ " (unused integer)") }}
{% endmacro %}
