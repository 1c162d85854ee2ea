-- Question: which artists are played most, ever?
-- One row per artist, the first 20.
-- Caveats: an artist under several names that the catalog lacks, such as one
-- with a guest, is several.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

)

select
    artists.name as artist_name,
    count(*) as play_count,
    count(distinct songplays.song_id) as song_count,
    count(distinct songplays.user_id) as listener_count
from songplays
inner join artists on songplays.artist_id = artists.artist_id
group by artists.artist_id, artists.name
order by play_count desc, listener_count desc, artists.artist_id
limit 20
