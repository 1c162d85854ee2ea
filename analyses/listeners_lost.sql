-- Question: who has stopped listening?
-- One row per user with plays, but none in the last seven days of the data.
-- Caveats: days are UTC, and the last one is that of the last play. Some users
-- come back.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

users as (

    select * from {{ ref('dim_users') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

last_week as (

    select
        {{ dbt.dateadd('day', -6, dbt.date_trunc('day', 'max(start_hour)')) }}
            as start_time

    from hours

)

select
    users.user_id,
    users.level,
    count(*) as play_count,
    max(songplays.start_time) as last_start_time
from songplays
inner join users on songplays.user_id = users.user_id
cross join last_week
group by users.user_id, users.level, last_week.start_time
having max(songplays.start_time) < last_week.start_time
order by play_count desc, users.user_id
