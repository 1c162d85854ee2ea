-- On Redshift every node holds a copy: the table is small.
{{
    config(
        materialized='incremental',
        unique_key='location',
        dist='all',
        sort='location',
    )
}}

-- Built after int_events: otherwise a load in between could bring plays whose
-- location is missing here.
-- depends_on: {{ ref('int_events') }}

with

events as (

    select * from {{ ref('stg_events') }}

    where location is not null

    {% if is_incremental() %}
    and loaded_at > {{ watermark('loaded_at') }}
    {% endif %}

),

-- A known location is written again, with its newer loaded_at.
locations as (

    select
        location,
        max(loaded_at) as loaded_at

    from events

    group by location

)

select * from locations
