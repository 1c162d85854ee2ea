{#
    Declares the marts' keys, for the planner of Redshift, which uses them and enforces
    none; an untrue one makes its results wrong. So a primary key is a column with a
    unique test and a foreign key one with a relationships test, and not those whose
    test failed in this run. A rebuilt dimension takes the foreign keys to it away;
    whatever is missing at the end of a run is declared again.
    https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html
#}
{% macro declare_keys(results) %}
    {{ return(adapter.dispatch("declare_keys")(results)) }}
{% endmacro %}

{# On DuckDB keys are enforced, row by row, which the tests do at a fraction. #}
{% macro duckdb__declare_keys(results) %}
{% endmacro %}

{% macro redshift__declare_keys(results) %}
    {% set built = results | selectattr("status", "equalto", "success")
        | map(attribute="node.name") | list %}
    {% set failed = results | rejectattr("status", "in", ["success", "pass", "skipped"])
        | map(attribute="node.unique_id") | list %}
    {% if not execute or not built %}
        {{ return("") }}
    {% endif %}

    {% set primary_keys = [] %}
    {% set foreign_keys = [] %}
    {% for test in graph.nodes.values()
        if test.resource_type == "test" and test.attached_node and test.test_metadata %}
        {% set model = graph.nodes.get(test.attached_node) %}
        {% if model and model.fqn[1] == "marts" and test.unique_id not in failed %}
            {% set key = {"model": model, "column": test.column_name} %}
            {% if test.test_metadata.name == "unique" %}
                {% do primary_keys.append(key) %}
            {% elif test.test_metadata.name == "relationships" %}
                {% for parent_id in test.depends_on.nodes if parent_id != model.unique_id %}
                    {% do key.update({
                        "parent": graph.nodes[parent_id],
                        "parent_column": test.test_metadata.kwargs.field
                    }) %}
                {% endfor %}
                {% do foreign_keys.append(key) %}
            {% endif %}
        {% endif %}
    {% endfor %}

    {% set declared = _declared_keys() %}
    {% set statements = [] %}
    {% for key in primary_keys + foreign_keys %}
        {% set name = key.model.alias ~ "_" ~ key.column ~ ("_fkey" if key.parent else "_pkey") %}
        {% if key.model.alias in declared.tables and name not in declared.key_names
            and (not key.parent or key.parent.alias in declared.tables) %}
            {% do statements.append(
                "alter table " ~ _mart(key.model) ~ " add constraint " ~ name
                ~ (" foreign key (" if key.parent else " primary key (") ~ key.column ~ ")"
                ~ (" references " ~ _mart(key.parent) ~ " (" ~ key.parent_column ~ ")"
                    if key.parent else "")
            ) %}
        {% endif %}
    {% endfor %}
    {{ return(statements | join(";\n")) }}
{% endmacro %}

{% macro _mart(model) %}
    {{ return(adapter.quote(model.schema) ~ "." ~ adapter.quote(model.alias)) }}
{% endmacro %}

{# The marts that exist and the names of their keys. #}
{% macro _declared_keys() %}
    {% set sql %}
        select
            tables.relname as table_name,
            coalesce(keys.conname, '') as key_name
        from pg_class as tables
        inner join pg_namespace as schemas on tables.relnamespace = schemas.oid
        left join pg_constraint as keys on tables.oid = keys.conrelid
        where
            schemas.nspname = '{{ target.schema }}'
            and tables.relkind = 'r'
    {% endset %}
    {% set rows = run_query(sql).rows %}
    {{ return({
        "tables": rows | map(attribute="table_name") | list,
        "key_names": rows | map(attribute="key_name") | list
    }) }}
{% endmacro %}
