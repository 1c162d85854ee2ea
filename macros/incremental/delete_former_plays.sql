{#
    In an incremental build, deletes the plays of events that were loaded again and are no
    longer plays. No statement is sent if all new events are plays.
#}
{% macro delete_former_plays() %}
    {%- if is_incremental() -%}
        {%- set is_new = "not is_play and loaded_at > " ~ watermark("loaded_at") -%}
        {%- set times = bounds("event_at", ref("int_events"), is_new) -%}
        {%- if times != "null and null" -%}
    delete from {{ this }}
    where
        start_time between {{ times }}
        and songplay_id in (
            select event_id from {{ ref("int_events") }} where {{ is_new }}
        )
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
