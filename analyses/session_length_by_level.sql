-- Question: how long are the sessions of free and of paid users?
-- One row per level at the session's start.
-- Caveats: a session ends with its last event, so what was played then is not
-- in its length, and a session of one event has none.

with

sessions as (

    select * from {{ ref('fct_sessions') }}

)

select
    start_level as level,
    count(*) as session_count,
    avg(duration_seconds) / 60 as mean_minutes,
    percentile_cont(0.5) within group (order by duration_seconds)
    / 60 as median_minutes,
    avg(cast(play_count as double precision)) as mean_play_count
from sessions
where start_level is not null
group by start_level
order by start_level
