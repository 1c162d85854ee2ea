-- An inner join with the dimensions loses none of the plays loaded lately, and
-- counts each for the artist of its song.
with

new_plays as (

    select * from {{ ref('fct_songplays') }}

    where
        loaded_at
        > {{ watermark('loaded_at', ref('fct_songplays'), days_before=3) }}

)

select
    new_plays.songplay_id,
    users.user_id,
    songs.song_id,
    artists.artist_id,
    songs.artist_id as artist_id_of_song,
    hours.start_hour
from new_plays
left join {{ ref('dim_users') }} as users
    on new_plays.user_id = users.user_id
left join {{ ref('dim_songs') }} as songs
    on new_plays.song_id = songs.song_id
left join {{ ref('dim_artists') }} as artists
    on new_plays.artist_id = artists.artist_id
left join {{ ref('dim_time') }} as hours
    on new_plays.start_hour = hours.start_hour
where
    users.user_id is null
    or songs.song_id is null
    or songs.artist_id <> new_plays.artist_id
    or artists.artist_id is null
    or hours.start_hour is null
