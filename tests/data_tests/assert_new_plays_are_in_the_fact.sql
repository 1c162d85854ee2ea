-- What was logged lately is in the fact, once and as loaded last: no play is
-- lost, and a look-up that missed an earlier version would leave two.
{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', ref('fct_songplays'), days_before=3) %}

with

new_events as (

    select
        user_id,
        session_id,
        item_in_session,
        event_at,
        max(loaded_at) as loaded_at

    from {{ ref('stg_events') }}

    where page = 'NextSong' and user_id is not null and {{ is_new }}

    group by user_id, session_id, item_in_session, event_at

),

songplays as (

    select * from {{ ref('fct_songplays') }}

    where start_time between {{ bounds('event_at', ref('stg_events'), is_new) }}

)

select
    new_events.user_id,
    new_events.session_id,
    new_events.item_in_session,
    new_events.event_at,
    count(songplays.songplay_id) as play_count
from new_events
left join songplays
    on
        new_events.user_id = songplays.user_id
        and new_events.session_id = songplays.session_id
        and new_events.item_in_session = songplays.item_in_session
        and new_events.event_at = songplays.start_time
group by
    new_events.user_id,
    new_events.session_id,
    new_events.item_in_session,
    new_events.event_at,
    new_events.loaded_at
having
    count(songplays.songplay_id) <> 1
    or min(songplays.loaded_at) <> new_events.loaded_at
