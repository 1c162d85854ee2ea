{#
    Declares the marts' keys for Redshift's planner, which uses them but does not enforce
    them; a false one makes query results wrong. A column whose unique test passed becomes
    a primary key, one whose relationships test passed a foreign key, and a key whose test
    failed is dropped. A foreign key needs the primary key that it refers to.

    Only incremental models have keys, as their tables persist. A dimension that is rebuilt
    each night would lose them and the keys that refer to it, so each build would have to
    alter the facts and make their readers wait.
    https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html
#}
{% macro declare_keys(results) %}
    {{ return(adapter.dispatch("declare_keys")(results)) }}
{% endmacro %}

{# DuckDB would enforce keys row by row; the tests check them much faster. #}
{% macro duckdb__declare_keys(results) %}
{% endmacro %}

{% macro redshift__declare_keys(results) %}
    {% set tested = _tested_keys(results) if execute else [] %}
    {% set declared = _declared_keys(tested) if tested else [] %}
    {# Leaves out tables that this run read from another environment (--defer). #}
    {% set keys = [] %}
    {% for key in tested if key.table_name in declared | map(attribute="table_name") %}
        {% do keys.append(key) %}
    {% endfor %}
    {% if _key_changes(keys, declared) %}
        {# Another build may do the same at this time, so the tables are locked, as ALTER
           would do anyway, and looked up again. #}
        {% do run_query(
            "begin; lock table " ~ keys | map(attribute="table") | unique | join(", ")
        ) %}
        {% set changes = _key_changes(keys, _declared_keys(keys)) %}
        {{ return((changes + ["commit"]) | join(";\n")) }}
    {% endif %}
{% endmacro %}

{#
    The keys whose tests have passed or failed in this run, primary keys first: {schema,
    table_name, table, column, name, is_true, parent: {table, column, key_name} or none}.
#}
{% macro _tested_keys(results) %}
    {% set primary_keys = [] %}
    {% set foreign_keys = [] %}
    {% for result in results
        if result.node.resource_type == "test" and result.node.attached_node
        and result.node.test_metadata and result.status in ["pass", "warn", "fail"] %}
        {% set test = result.node %}
        {% set model = graph.nodes.get(test.attached_node) %}
        {% set key = {
            "column": test.column_name, "is_true": result.status == "pass", "parent": none
        } %}
        {% if not _keeps_keys(model) %}
        {% elif test.test_metadata.name == "unique" %}
            {% do key.update(_table_of_key(model, test.column_name, "pkey")) %}
            {% do primary_keys.append(key) %}
        {% elif test.test_metadata.name == "relationships" %}
            {% for parent_id in test.depends_on.nodes
                if parent_id != model.unique_id and _keeps_keys(graph.nodes.get(parent_id)) %}
                {% set column = test.test_metadata.kwargs.field %}
                {% do key.update(_table_of_key(model, test.column_name, "fkey")) %}
                {% do key.update(
                    {"parent": _table_of_key(graph.nodes[parent_id], column, "pkey")}
                ) %}
                {% do key.parent.update({"column": column}) %}
                {% do foreign_keys.append(key) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
    {{ return(primary_keys + foreign_keys) }}
{% endmacro %}

{% macro _keeps_keys(model) %}
    {{ return(
        model and model.fqn[1] == "marts" and model.config.materialized == "incremental"
    ) }}
{% endmacro %}

{% macro _table_of_key(model, column, kind) %}
    {{ return({
        "schema": model.schema | lower,
        "table_name": model.alias | lower,
        "table": adapter.quote(model.schema) ~ "." ~ adapter.quote(model.alias),
        "name": (model.alias ~ "_" ~ column ~ "_" ~ kind) | lower
    }) }}
{% endmacro %}

{# The statements that declare the keys that are true and drop the others. #}
{% macro _key_changes(keys, declared) %}
    {% set names = declared | map(attribute="key_name") | list %}
    {% set changes = [] %}

    {# A foreign key is dropped before the primary key that it refers to. #}
    {% for key in keys | reverse if not key.is_true and key.name in names %}
        {% for foreign_key in declared
            if not key.parent and foreign_key.parent_schema == key.schema
            and foreign_key.parent_name == key.table_name %}
            {% do changes.append(
                "alter table " ~ adapter.quote(foreign_key.schema) ~ "."
                ~ adapter.quote(foreign_key.table_name)
                ~ " drop constraint " ~ adapter.quote(foreign_key.key_name)
            ) %}
        {% endfor %}
        {% do changes.append("alter table " ~ key.table ~ " drop constraint " ~ key.name) %}
    {% endfor %}

    {% set untrue = keys | rejectattr("is_true") | map(attribute="name") | list %}
    {% for key in keys if key.is_true and key.name not in names %}
        {% if not key.parent %}
            {% do changes.append(
                "alter table " ~ key.table ~ " add constraint " ~ key.name
                ~ " primary key (" ~ key.column ~ ")"
            ) %}
            {% do names.append(key.name) %}
        {% elif key.parent.name in names and key.parent.name not in untrue %}
            {% do changes.append(
                "alter table " ~ key.table ~ " add constraint " ~ key.name
                ~ " foreign key (" ~ key.column ~ ") references " ~ key.parent.table
                ~ " (" ~ key.parent.column ~ ")"
            ) %}
        {% endif %}
    {% endfor %}
    {{ return(changes | unique | list) }}
{% endmacro %}

{#
    The existing tables in the schemas of these keys, a row for each declared key:
    {schema, table_name, key_name, parent_schema, parent_name}; '' where there is none.
#}
{% macro _declared_keys(keys) %}
    {% set sql %}
        select
            lower(schemas.nspname) as schema_name,
            lower(tables.relname) as table_name,
            coalesce(lower(keys.conname), '') as key_name,
            coalesce(lower(parent_schemas.nspname), '') as parent_schema,
            coalesce(lower(parents.relname), '') as parent_name
        from pg_class as tables
        inner join pg_namespace as schemas on tables.relnamespace = schemas.oid
        left join pg_constraint as keys
            on tables.oid = keys.conrelid and keys.contype in ('p', 'f')
        left join pg_class as parents on keys.confrelid = parents.oid
        left join pg_namespace as parent_schemas
            on parents.relnamespace = parent_schemas.oid
        where
            lower(schemas.nspname) in (
                '{{ keys | map(attribute="schema") | unique | join("', '") }}'
            )
            and tables.relkind = 'r'
    {% endset %}
    {% set declared = [] %}
    {% for row in run_query(sql).rows %}
        {% do declared.append({
            "schema": row["schema_name"],
            "table_name": row["table_name"],
            "key_name": row["key_name"],
            "parent_schema": row["parent_schema"],
            "parent_name": row["parent_name"]
        }) %}
    {% endfor %}
    {{ return(declared) }}
{% endmacro %}
