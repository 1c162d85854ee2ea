-- Question: which songs did paid users in the West play most in the last week
-- of the data?
-- One row per song, at most 10.
-- Caveats: the last week is the seven days (UTC) that end with the day of the
-- last play. Level and region are those at the time of the play. Region, level
-- and number of days are set in one line each.

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

locations as (

    select * from {{ ref('dim_locations') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

last_week as (

    select
        {{ dbt.dateadd('day', -6, dbt.date_trunc('day', 'max(start_hour)')) }}
            as start_time

    from hours

)

select
    songs.title,
    artists.name as artist_name,
    count(*) as play_count
from songplays
inner join last_week on songplays.start_time >= last_week.start_time
inner join locations on songplays.location = locations.location
inner join songs on songplays.song_id = songs.song_id
inner join artists on songplays.artist_id = artists.artist_id
where songplays.level = 'paid' and locations.region = 'West'
group by songs.song_id, songs.title, artists.name
order by play_count desc, songs.song_id
limit 10
