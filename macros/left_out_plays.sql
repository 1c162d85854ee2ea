{#
    A query for the plays that are in no mart: a row for each reason, with their number
    and the first of them.

    condition    SQL condition on the rows of stg_events
#}
{% macro left_out_plays(condition="1 = 1") %}
with

events as (

    select
        *,
        cast(
            case
                when page <> 'NextSong' then 'a song on page ' || page
                else 'NextSong without a user'
            end as varchar(512)
        ) as reason

    from {{ ref('stg_events') }}

    where
        {{ condition }}
        and (
            (page = 'NextSong' and user_id is null)
            or (page <> 'NextSong' and song_title is not null)
        )

),

numbered as (

    select
        *,
        row_number() over (
            partition by reason order by ts, session_id, item_in_session
        ) as event_number

    from events

)

select
    reason,
    count(*) as play_count,
    min(loaded_at) as loaded_since,
    min(event_at) as first_event_at,
    max(case when event_number = 1 then session_id end) as first_session_id,
    max(case when event_number = 1 then item_in_session end)
        as first_item_in_session,
    min(ts) as first_ts
from numbered
group by reason
order by reason
{% endmacro %}
