{#
    The table that builds of a model or seed lock. It is in the intermediate schema, which
    neither analysts nor the loader use.
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
