-- Question: are sessions longer in the week before an upgrade?
-- One row per kind of session that starts free, with an upgrade of its user
-- within seven days of its start and without.
-- Caveats: few users upgrade. The session of the upgrade counts as before it,
-- with its whole length. A session ends at its last event. Those in the last
-- seven days of the data may yet lead to an upgrade.

with

sessions as (

    select * from {{ ref('fct_sessions') }}

),

user_levels as (

    select * from {{ ref('dim_user_levels') }}

),

periods as (

    select
        user_id,
        level,
        valid_from,
        lag(level) over (
            partition by user_id order by valid_from
        ) as previous_level

    from user_levels

),

upgrades as (

    select
        user_id,
        valid_from as upgraded_at

    from periods

    where previous_level = 'free' and level = 'paid'

),

free_sessions as (

    select
        sessions.user_session_id,
        sessions.duration_seconds,
        sessions.play_count,
        cast(
            case
                when count(upgrades.user_id) > 0 then 'before an upgrade'
                else 'other'
            end as varchar(17)
        ) as kind

    from sessions

    left join upgrades
        on
            sessions.user_id = upgrades.user_id
            and sessions.start_time <= upgrades.upgraded_at
            and {{ dbt.dateadd('day', 7, 'sessions.start_time') }}
            > upgrades.upgraded_at

    where sessions.start_level = 'free'

    group by
        sessions.user_session_id,
        sessions.duration_seconds,
        sessions.play_count

)

select
    kind,
    count(*) as session_count,
    avg(duration_seconds) / 60 as mean_minutes,
    percentile_cont(0.5) within group (order by duration_seconds)
    / 60 as median_minutes,
    avg(cast(play_count as double precision)) as mean_play_count
from free_sessions
group by kind
order by kind
