-- The periods of a user neither overlap nor leave out a play, so that a join by
-- time counts each play once.
{{ config(tags='weekly') }}

select
    songplays.songplay_id,
    count(user_levels.user_level_id) as period_count
from {{ ref('fct_songplays') }} as songplays
left join {{ ref('dim_user_levels') }} as user_levels
    on
        songplays.user_id = user_levels.user_id
        and songplays.start_time >= user_levels.valid_from
        and (
            songplays.start_time < user_levels.valid_to
            or user_levels.is_current
        )
group by songplays.songplay_id
having count(user_levels.user_level_id) <> 1
