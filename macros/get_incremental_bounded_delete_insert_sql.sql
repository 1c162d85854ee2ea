{#
    dbt's delete+insert, which looks for the rows to delete no further than between the
    first and the last event_time of the new ones: a key must always come with the same
    event_time. Literals, for the reason that watermark gives.
    https://docs.getdbt.com/docs/build/incremental-strategy#custom-strategies
#}
{% macro get_incremental_bounded_delete_insert_sql(arg_dict) %}
    {% set event_time = config.require("event_time") %}
    {% do arg_dict.update({
        "incremental_predicates": [
            event_time ~ " between " ~ _bounds(event_time, arg_dict["temp_relation"])
        ]
    }) %}
    {{ return(get_incremental_delete_insert_sql(arg_dict)) }}
{% endmacro %}
