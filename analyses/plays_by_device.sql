-- Question: on which devices and in which browsers do people listen?
-- One row per device class, operating system and browser.
-- Caveats: user agents need not be truthful. Unknown stands for one that is
-- missing or not recognized.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

user_agents as (

    select * from {{ ref('dim_user_agents') }}

),

plays as (

    select
        songplays.user_id,
        coalesce(user_agents.device_class, 'Unknown') as device_class,
        coalesce(user_agents.operating_system, 'Unknown') as operating_system,
        coalesce(user_agents.browser, 'Unknown') as browser

    from songplays

    left join user_agents on songplays.user_agent = user_agents.user_agent

)

select
    device_class,
    operating_system,
    browser,
    count(*) as play_count,
    count(distinct user_id) as listener_count
from plays
group by device_class, operating_system, browser
order by play_count desc, device_class, operating_system, browser
