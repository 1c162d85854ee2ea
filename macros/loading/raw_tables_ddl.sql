{#
    The statements that create the raw tables and columns of the sources' YAML that do
    not exist yet.

    present    table -> columns, as returned by raw_tables_present
#}
{% macro raw_tables_ddl(present) %}
    {% set statements = [] %}
    {% if not present and not _has_raw_schema() %}
        {% do statements.append(
            "create schema if not exists " ~ raw_relation("loads").without_identifier()
        ) %}
    {% endif %}

    {% for name in raw_table_names() %}
        {% set relation = raw_relation(name) %}
        {% set columns = raw_source(name).columns.values() %}
        {% if name not in present %}
            {% do statements.append(create_raw_table_sql(relation, columns)) %}
        {% else %}
            {# A column added later is null in the rows that exist. #}
            {% for column in columns if column.name | lower not in present[name] %}
                {% do statements.append(
                    "alter table " ~ relation ~ " add column "
                    ~ column.name | lower ~ " " ~ column.data_type
                ) %}
            {% endfor %}
        {% endif %}
    {% endfor %}
    {{ return(statements) }}
{% endmacro %}

{# A user who may not create schemas may still load into an existing one. #}
{% macro _has_raw_schema() %}
    {% set sql %}
        select count(*) as schema_count
        from pg_catalog.pg_namespace
        where lower(nspname) = lower('{{ raw_relation("loads").schema }}')
    {% endset %}
    {{ return(run_query(sql).rows[0]["schema_count"] | int > 0) }}
{% endmacro %}
