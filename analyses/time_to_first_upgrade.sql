-- Question: how long and how much do users listen for free before they pay?
-- One row per user whose level changed from free to paid, at the first change.
-- Caveats: the time starts at the user's first event in the data, not at
-- registration.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

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
        ) as previous_level,
        min(valid_from) over (partition by user_id) as first_seen_at

    from user_levels

),

first_upgrades as (

    select
        user_id,
        min(first_seen_at) as first_seen_at,
        min(valid_from) as upgraded_at

    from periods

    where previous_level = 'free' and level = 'paid'

    group by user_id

)

select
    first_upgrades.user_id,
    first_upgrades.upgraded_at,
    {{ dbt.datediff(
        'first_upgrades.first_seen_at', 'first_upgrades.upgraded_at', 'day'
    ) }} as days_before,
    count(songplays.songplay_id) as plays_before
from first_upgrades
left join songplays
    on
        first_upgrades.user_id = songplays.user_id
        and first_upgrades.upgraded_at > songplays.start_time
group by
    first_upgrades.user_id,
    first_upgrades.first_seen_at,
    first_upgrades.upgraded_at
order by first_upgrades.upgraded_at, first_upgrades.user_id
