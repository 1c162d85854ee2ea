-- On Redshift every node holds a copy: the table is small.
{{
    config(
        materialized='incremental',
        unique_key='user_agent',
        dist='all',
        sort='user_agent',
    )
}}

-- Built after int_events: otherwise a load in between could bring plays whose
-- user agent is missing here.
-- depends_on: {{ ref('int_events') }}

with

events as (

    select * from {{ ref('stg_events') }}

    where user_agent is not null

    {% if is_incremental() %}
    and loaded_at > {{ watermark('loaded_at') }}
    {% endif %}

),

-- A known user agent is written again, with its newer loaded_at.
user_agents as (

    select
        user_agent,
        max(loaded_at) as loaded_at

    from events

    group by user_agent

)

select * from user_agents
