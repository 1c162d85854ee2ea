{# Written with its schema alone: LOCK and COPY are documented for no more. #}
{% macro raw_relation(table_name) %}
    {% set node = raw_source(table_name) %}
    {{ return(
        api.Relation.create(
            database=node.database, schema=node.schema, identifier=node.identifier
        ).include(database=false)
    ) }}
{% endmacro %}
