-- Counting plays by artist gives the same result by the fact's artist_id as by
-- that of the song.
{{ config(tags='weekly') }}

select
    songplays.songplay_id,
    songplays.artist_id,
    songs.artist_id as artist_id_of_song
from {{ ref('fct_songplays') }} as songplays
inner join {{ ref('dim_songs') }} as songs
    on songplays.song_id = songs.song_id
where songplays.artist_id <> songs.artist_id
