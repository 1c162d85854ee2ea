{#
    dbt's delete+insert, which looks for the rows to delete no further than between the
    first event_time of the new ones and their last, or their last event_end if the meta
    names that column. So the event_time that a key had before must lie between its new
    event_time and event_end; without an event_end, a key must always come with the same
    event_time. Literals, for the reason that watermark gives.
    https://docs.getdbt.com/docs/build/incremental-strategy#custom-strategies
#}
{% macro get_incremental_bounded_delete_insert_sql(arg_dict) %}
    {% set event_time = config.require("event_time") %}
    {% set event_end = (config.get("meta") or {}).get("event_end", event_time) %}
    {% do arg_dict.update({
        "incremental_predicates": [
            event_time ~ " between "
            ~ _bounds(event_time, arg_dict["temp_relation"], last_column=event_end)
        ]
    }) %}
    {{ return(get_incremental_delete_insert_sql(arg_dict)) }}
{% endmacro %}
