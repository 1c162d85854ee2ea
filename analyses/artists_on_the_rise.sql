-- Question: which artists gain the most plays from one week to the next?
-- One row per artist with more plays in the last seven days of the data than in
-- the seven before, at most 20.
-- Caveats: days are UTC, and the last one is that of the last play. With less
-- than 14 days of data, all artists rise.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

weeks as (

    select
        {{ dbt.dateadd('day', -6, dbt.date_trunc('day', 'max(start_hour)')) }}
            as this_week,
        {{ dbt.dateadd('day', -13, dbt.date_trunc('day', 'max(start_hour)')) }}
            as week_before

    from hours

),

counted as (

    select
        songplays.artist_id,
        sum(
            case when songplays.start_time >= weeks.this_week then 1 else 0 end
        ) as play_count,
        sum(
            case when songplays.start_time < weeks.this_week then 1 else 0 end
        ) as play_count_before

    from songplays

    inner join weeks on songplays.start_time >= weeks.week_before

    group by songplays.artist_id

)

select
    artists.name as artist_name,
    counted.play_count,
    counted.play_count_before,
    counted.play_count - counted.play_count_before as gain
from counted
inner join artists on counted.artist_id = artists.artist_id
where counted.play_count > counted.play_count_before
order by gain desc, counted.play_count desc, artists.artist_id
limit 20
