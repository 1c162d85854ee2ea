-- Question: how many users go from free to paid, and how many back?
-- One row per ISO week with a change.
-- Caveats: a change counts when the log first shows the new level, which may be
-- some time after the payment. Changes before the data begins are unknown.

with

user_levels as (

    select * from {{ ref('dim_user_levels') }}

),

changes as (

    select
        user_id,
        level,
        lag(level) over (
            partition by user_id order by valid_from
        ) as previous_level,
        cast({{ dbt.date_trunc('week', 'valid_from') }} as date) as week_start

    from user_levels

)

select
    week_start,
    sum(case when level = 'paid' then 1 else 0 end) as upgrade_count,
    sum(case when level = 'free' then 1 else 0 end) as downgrade_count
from changes
where
    (previous_level = 'free' and level = 'paid')
    or (previous_level = 'paid' and level = 'free')
group by week_start
order by week_start
