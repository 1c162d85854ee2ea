{#
    dbt's delete+insert, but looks for the rows to delete only between the first event_time
    of the new rows and their last, or their last event_end if the meta names that column.
    So the previous event_time of a key must lie between its new event_time and event_end;
    without an event_end, a key must keep its event_time. Literals, for the reason given in
    watermark.
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
