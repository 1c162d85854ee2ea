{#
    The table that builds of a model or seed lock, by its name. Analysts, and the loader,
    have no use for its schema.
#}
{% macro build_lock(name) %}
    {{ return(
        api.Relation.create(
            database=target.database,
            schema=generate_schema_name("intermediate", none),
            identifier="build_lock_" ~ name
        )
    ) }}
{% endmacro %}
