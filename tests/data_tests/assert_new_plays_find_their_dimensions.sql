-- An inner join with the dimensions loses no recent play, and a play and its
-- song have the same artist. Only location and user agent may be null.
{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', ref('fct_songplays'), days_before=3) %}

with

new_plays as (

    select * from {{ ref('fct_songplays') }}

    where {{ is_new }}

),

sessions as (

    select * from {{ ref('fct_sessions') }}

    where
        end_time >= {{ smallest('start_time', ref('fct_songplays'), is_new) }}

)

select
    new_plays.songplay_id,
    users.user_id,
    songs.song_id,
    artists.artist_id,
    songs.artist_id as artist_id_of_song,
    hours.start_hour,
    sessions.user_session_id,
    user_levels.user_level_id,
    locations.location,
    user_agents.user_agent
from new_plays
left join {{ ref('dim_users') }} as users
    on new_plays.user_id = users.user_id
left join {{ ref('dim_songs') }} as songs
    on new_plays.song_id = songs.song_id
left join {{ ref('dim_artists') }} as artists
    on new_plays.artist_id = artists.artist_id
left join {{ ref('dim_time') }} as hours
    on new_plays.start_hour = hours.start_hour
left join sessions
    on
        new_plays.user_id = sessions.user_id
        and new_plays.session_id = sessions.session_id
        and new_plays.start_time >= sessions.start_time
        and new_plays.start_time <= sessions.end_time
left join {{ ref('dim_user_levels') }} as user_levels
    on
        new_plays.user_id = user_levels.user_id
        and new_plays.start_time >= user_levels.valid_from
        and (
            new_plays.start_time < user_levels.valid_to
            or user_levels.is_current
        )
left join {{ ref('dim_locations') }} as locations
    on new_plays.location = locations.location
left join {{ ref('dim_user_agents') }} as user_agents
    on new_plays.user_agent = user_agents.user_agent
where
    users.user_id is null
    or songs.song_id is null
    or songs.artist_id <> new_plays.artist_id
    or artists.artist_id is null
    or hours.start_hour is null
    or sessions.user_session_id is null
    or user_levels.user_level_id is null
    or (locations.location is null and new_plays.location is not null)
    or (user_agents.user_agent is null and new_plays.user_agent is not null)
