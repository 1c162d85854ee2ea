-- Question: of those who first listened in a week, how many still do weeks
-- later?
-- One row per cohort (the ISO week of the first play) and week with a play by
-- one of its users; week 0 is that of the first play.
-- Caveats: users who listened before the data begins are in the first cohort.
-- The last week may be incomplete.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

user_weeks as (

    select distinct
        songplays.user_id,
        hours.week_start

    from songplays

    inner join hours on songplays.start_hour = hours.start_hour

),

cohorts as (

    select
        user_id,
        min(week_start) as cohort_week

    from user_weeks

    group by user_id

),

cohort_sizes as (

    select
        cohort_week,
        count(*) as cohort_size

    from cohorts

    group by cohort_week

)

select
    cohorts.cohort_week,
    cast({{ dbt.datediff(
        'cohorts.cohort_week', 'user_weeks.week_start', 'day'
    ) }} / 7 as integer) as week_number,
    cohort_sizes.cohort_size,
    count(*) as listener_count,
    cast(count(*) as double precision)
    / cohort_sizes.cohort_size as listener_share
from user_weeks
inner join cohorts on user_weeks.user_id = cohorts.user_id
inner join cohort_sizes on cohorts.cohort_week = cohort_sizes.cohort_week
group by
    cohorts.cohort_week, user_weeks.week_start, cohort_sizes.cohort_size
order by cohorts.cohort_week, user_weeks.week_start
