-- New browsers come up. Once more than one in twenty events loaded lately has a
-- user agent that user_agent_patterns does not tell, it lacks some.
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
