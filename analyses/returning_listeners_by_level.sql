-- Question: do free users come back in the next week, and do paid users?
-- One row per ISO week, except the last, and level at which users played in it.
-- Caveats: a user with plays at both levels in a week counts for both. If the
-- last week is incomplete, listeners of the week before may still come back.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

    where level is not null

),

hours as (

    select * from {{ ref('dim_time') }}

),

user_weeks as (

    select distinct
        songplays.user_id,
        songplays.level,
        hours.week_start

    from songplays

    inner join hours on songplays.start_hour = hours.start_hour

),

listeners as (

    select distinct
        user_id,
        week_start

    from user_weeks

)

select
    user_weeks.week_start,
    user_weeks.level,
    count(*) as listener_count,
    count(next_weeks.user_id) as returning_count,
    cast(count(next_weeks.user_id) as double precision)
    / count(*) as returning_share
from user_weeks
left join listeners as next_weeks
    on
        user_weeks.user_id = next_weeks.user_id
        and {{ dbt.datediff(
            'user_weeks.week_start', 'next_weeks.week_start', 'day'
        ) }} = 7
where
    user_weeks.week_start < (select max(listeners.week_start) from listeners)
group by user_weeks.week_start, user_weeks.level
order by user_weeks.week_start, user_weeks.level
