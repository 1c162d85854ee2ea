{#
    At the start of a run: creates the tables that lock_builds locks, which stay empty, if
    they are missing. The adapter has already listed the existing tables.
#}
{% macro create_build_locks() %}
    {{ return(adapter.dispatch("create_build_locks")()) }}
{% endmacro %}

{% macro duckdb__create_build_locks() %}
{% endmacro %}

{# A user who may not create schemas may still build into an existing one. #}
{% macro redshift__create_build_locks() %}
    {% set statements = [] %}
    {% if execute %}
        {% for node in graph.nodes.values()
            if node.unique_id in selected_resources
            and node.config.materialized in ["incremental", "seed"] %}
            {% set lock = build_lock(node.alias) %}
            {% if not load_relation(lock) %}
                {% do statements.append(
                    "create table if not exists " ~ lock.include(database=false)
                    ~ " (unused integer)"
                ) %}
            {% endif %}
        {% endfor %}
        {% set lock = build_lock("") %}
        {% if statements and not adapter.check_schema_exists(lock.database, lock.schema) %}
            {% do adapter.create_schema(lock) %}
        {% endif %}
    {% endif %}
    {{ return(statements | join(";\n")) }}
{% endmacro %}
