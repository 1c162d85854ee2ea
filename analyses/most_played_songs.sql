-- Question: which songs are played most, ever?
-- One row per song, at most 20.
-- Caveats: songs that are not in the catalog are identified by title and artist
-- name, so versions of different lengths count as one.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

songs as (

    select * from {{ ref('dim_songs') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

)

select
    songs.title,
    artists.name as artist_name,
    count(*) as play_count,
    count(distinct songplays.user_id) as listener_count
from songplays
inner join songs on songplays.song_id = songs.song_id
inner join artists on songplays.artist_id = artists.artist_id
group by songs.song_id, songs.title, artists.name
order by play_count desc, listener_count desc, songs.song_id
limit 20
