-- New browsers appear. If more than one in twenty recent events has an
-- unrecognized user agent, user_agent_patterns needs more patterns.
{{ config(severity='warn') }}

with

events as (

    select * from {{ ref('stg_events') }}

    where
        user_agent is not null
        and loaded_at
        > {{ watermark('loaded_at', ref('int_user_agents'), days_before=3) }}

)

select
    count(*) as event_count,
    sum(case when user_agents.is_recognized then 1 else 0 end)
        as recognized_count
from events
left join {{ ref('dim_user_agents') }} as user_agents
    on events.user_agent = user_agents.user_agent
having
    sum(case when user_agents.is_recognized then 1 else 0 end)
    < 0.95 * count(*)
