-- Every recent play is in the fact once, in the version loaded last: no play is
-- lost, and no earlier version is left beside it.
{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', ref('fct_songplays'), days_before=3) %}

with

-- A new version is later than all earlier ones, so those need not be read.
latest_events as (

    select
        user_id,
        session_id,
        item_in_session,
        event_at,
        page,
        loaded_at

    from {{ ref('stg_events') }} as versions

    where user_id is not null and {{ is_new }}

    qualify {{ latest_version(
        'user_id, session_id, item_in_session, event_at', ['page']
    ) }}

),

new_plays as (

    select * from latest_events

    where page = 'NextSong'

),

songplays as (

    select * from {{ ref('fct_songplays') }}

    where start_time between {{ bounds('event_at', ref('stg_events'), is_new) }}

)

select
    new_plays.user_id,
    new_plays.session_id,
    new_plays.item_in_session,
    new_plays.event_at,
    count(songplays.songplay_id) as play_count
from new_plays
left join songplays
    on
        new_plays.user_id = songplays.user_id
        and new_plays.session_id = songplays.session_id
        and new_plays.item_in_session = songplays.item_in_session
        and new_plays.event_at = songplays.start_time
group by
    new_plays.user_id,
    new_plays.session_id,
    new_plays.item_in_session,
    new_plays.event_at,
    new_plays.loaded_at
having
    count(songplays.songplay_id) <> 1
    or min(songplays.loaded_at) <> new_plays.loaded_at
