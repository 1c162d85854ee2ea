{{ config(materialized='view') }}

with

events as (

    select * from {{ ref('stg_events') }}

),

plays as (

    select
        md5(
            cast(user_id as varchar(20))
            || '|' || cast(session_id as varchar(20))
            || '|' || cast(item_in_session as varchar(20))
            || '|' || cast(ts as varchar(20))
        ) as songplay_id,
        user_id,
        session_id,
        item_in_session,
        ts,
        event_at as start_time,
        level,
        location,
        user_agent,
        coalesce(song_title, 'Unknown') as song_title,
        coalesce(artist_name, 'Unknown') as artist_name,
        song_length,
        loaded_at

    from events

    where page = 'NextSong' and user_id is not null

),

keyed as (

    select
        *,
        {{ song_key('song_title', 'artist_name') }} as song_key,
        {{ artist_key('artist_name') }} as artist_key

    from plays

)

select * from keyed
