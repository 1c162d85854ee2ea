-- No play is lost between the logs and the fact, whether or not its song is in
-- the catalog.
{{ config(tags='weekly') }}

with

events as (

    select
        user_id,
        session_id,
        item_in_session,
        event_at,
        page

    from {{ ref('stg_events') }} as versions

    qualify {{ latest_version(
        'user_id, session_id, item_in_session, event_at', ['page']
    ) }}

),

songplays as (

    select * from {{ ref('fct_songplays') }}

)

select
    events.user_id,
    events.session_id,
    events.item_in_session,
    events.event_at
from events
left join songplays
    on
        events.user_id = songplays.user_id
        and events.session_id = songplays.session_id
        and events.item_in_session = songplays.item_in_session
        and events.event_at = songplays.start_time
where
    events.page = 'NextSong'
    and events.user_id is not null
    and songplays.songplay_id is null
