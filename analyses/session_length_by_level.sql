-- Question: how long are the sessions of free and of paid users?
-- One row per level at the start of the session.
-- Caveats: a session ends at its last event, so its last song does not count,
-- and a session of one event has length 0.

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
