-- Question: when do people listen?
-- One row per weekday (0 is Sunday) and hour of the day, also without plays.
-- Caveats: hours are UTC, not the listener's. A weekday that occurs more often
-- in the data has more plays; plays_per_hour allows for that.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

counted as (

    select
        start_hour,
        count(*) as play_count

    from songplays

    group by start_hour

)

select
    hours.weekday,
    hours.hour,
    coalesce(sum(counted.play_count), 0) as play_count,
    cast(coalesce(sum(counted.play_count), 0) as double precision)
    / count(*) as plays_per_hour
from hours
left join counted on hours.start_hour = counted.start_hour
group by hours.weekday, hours.hour
order by hours.weekday, hours.hour
