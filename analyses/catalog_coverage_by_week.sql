-- Question: how many plays are of songs in the catalog?
-- One row per ISO week with a play.
-- Caveats: the catalog is the current one, also for earlier weeks.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

songs as (

    select * from {{ ref('dim_songs') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

hours as (

    select * from {{ ref('dim_time') }}

)

select
    hours.week_start,
    count(*) as play_count,
    sum(case when songs.is_in_catalog then 1 else 0 end) as known_song_count,
    sum(case when artists.is_in_catalog then 1 else 0 end)
        as known_artist_count
from songplays
inner join songs on songplays.song_id = songs.song_id
inner join artists on songplays.artist_id = artists.artist_id
inner join hours on songplays.start_hour = hours.start_hour
group by hours.week_start
order by hours.week_start
