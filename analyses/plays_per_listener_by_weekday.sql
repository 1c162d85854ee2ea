-- Question: how many songs does a free or a paid listener play on each weekday?
-- One row per weekday (0 is Sunday) and level with a play.
-- Caveats: days are UTC. A listener counts once for each day with a play, and
-- at both levels on the day of a change.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

listener_days as (

    select
        hours.weekday,
        songplays.level,
        songplays.user_id,
        cast(songplays.start_time as date) as start_day,
        count(*) as play_count

    from songplays

    inner join hours on songplays.start_hour = hours.start_hour

    where songplays.level is not null

    group by
        hours.weekday,
        songplays.level,
        songplays.user_id,
        cast(songplays.start_time as date)

)

select
    weekday,
    level,
    count(*) as listener_day_count,
    sum(play_count) as play_count,
    avg(cast(play_count as double precision)) as plays_per_listener
from listener_days
group by weekday, level
order by weekday, level
