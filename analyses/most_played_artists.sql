-- Question: which artists are played most, ever?
-- One row per artist, at most 20.
-- Caveats: an artist who is not in the catalog counts once per name, so one
-- with a guest counts separately.

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
