-- Each user has one current period, and its level is the user's level.
{{ config(tags='weekly') }}

select
    users.user_id,
    users.level,
    count(user_levels.user_id) as period_count
from {{ ref('dim_users') }} as users
left join {{ ref('dim_user_levels') }} as user_levels
    on
        users.user_id = user_levels.user_id
        and coalesce(users.level, '') = coalesce(user_levels.level, '')
        and user_levels.is_current
group by users.user_id, users.level
having count(user_levels.user_id) <> 1
