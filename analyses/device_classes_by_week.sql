-- Question: what share of the plays is on phones, tablets and desktops?
-- One row per ISO week and device class with a play.
-- Caveats: user agents need not be truthful. Unknown stands for one that is
-- missing or not recognized. The first and the last week of the data may be
-- incomplete.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

user_agents as (

    select * from {{ ref('dim_user_agents') }}

),

counted as (

    select
        hours.week_start,
        coalesce(user_agents.device_class, 'Unknown') as device_class,
        count(*) as play_count

    from songplays

    inner join hours on songplays.start_hour = hours.start_hour

    left join user_agents on songplays.user_agent = user_agents.user_agent

    group by
        hours.week_start,
        coalesce(user_agents.device_class, 'Unknown')

)

select
    week_start,
    device_class,
    play_count,
    cast(play_count as double precision)
    / sum(play_count) over (partition by week_start) as play_share
from counted
order by week_start, device_class
