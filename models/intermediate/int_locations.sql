-- On Redshift every node has all of it: it is small.
{{
    config(
        materialized='incremental',
        unique_key='location',
        dist='all',
        sort='location',
    )
}}

-- Built after the events that plays are made of, so that a load in between
-- leaves none without.
-- depends_on: {{ ref('int_events') }}

with

events as (

    select * from {{ ref('stg_events') }}

    where location is not null

    {% if is_incremental() %}
    and loaded_at > {{ watermark('loaded_at') }}
    {% endif %}

),

-- A text that is known already is written again, for its newer loaded_at.
locations as (

    select
        location,
        max(loaded_at) as loaded_at

    from events

    group by location

)

select * from locations
