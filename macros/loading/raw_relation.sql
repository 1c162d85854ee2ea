{# Without the database: LOCK and COPY are documented for schema and table only. #}
{% macro raw_relation(table_name) %}
    {% set node = raw_source(table_name) %}
    {{ return(
        api.Relation.create(
            database=node.database, schema=node.schema, identifier=node.identifier
        ).include(database=false)
    ) }}
{% endmacro %}
