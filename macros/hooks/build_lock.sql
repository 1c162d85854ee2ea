{# The table that builds lock. Analysts, and the loader, have no use for its schema. #}
{% macro build_lock() %}
    {{ return(
        api.Relation.create(
            schema=generate_schema_name("intermediate", none), identifier="build_lock"
        )
    ) }}
{% endmacro %}
