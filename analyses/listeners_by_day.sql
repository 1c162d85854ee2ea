-- Question: how many people listen on a day, and how many of the plays are
-- paid?
-- One row per day (UTC) with a play.
-- Caveats: the first and the last day of the data may be incomplete.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

)

select
    cast(start_time as date) as start_day,
    count(distinct user_id) as listener_count,
    count(*) as play_count,
    sum(case when level = 'paid' then 1 else 0 end) as paid_play_count
from songplays
group by cast(start_time as date)
order by start_day
