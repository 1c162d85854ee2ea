-- Every row of the fact has its event in the raw table. Otherwise the raw table
-- was replaced and the fact was not rebuilt.
{{ config(tags='weekly') }}

with

events as (

    select * from {{ ref('stg_events') }}

    where page = 'NextSong'

),

songplays as (

    select * from {{ ref('fct_songplays') }}

)

select
    songplays.songplay_id,
    songplays.start_time
from songplays
left join events
    on
        songplays.user_id = events.user_id
        and songplays.session_id = events.session_id
        and songplays.item_in_session = events.item_in_session
        and songplays.start_time = events.event_at
where events.user_id is null
