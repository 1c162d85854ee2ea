-- On Redshift every node has all of it: it is small.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='user_id',
        on_schema_change='fail',
        dist='all',
        sort=['user_id', 'valid_from'],
    )
}}

-- Built after the fact, so that a load in between leaves no play without
-- period.
-- depends_on: {{ ref('fct_songplays') }}

with

{% if is_incremental() %}
{% set is_new = 'user_id is not null and loaded_at > '
    ~ watermark('loaded_at') %}
new_users as (

    select distinct user_id

    from {{ ref('stg_events') }}

    where {{ is_new }}

),
{% endif %}

-- All since the first new event of anybody: one that comes late can split a
-- period, and what follows it tells until when.
events as (

    select * from {{ ref('stg_events') }}

    where user_id is not null

    {% if is_incremental() %}
    and user_id in (select user_id from new_users)
    and ts >= {{ smallest('ts', ref('stg_events'), is_new) }}
    {% endif %}

),

-- Of events at one moment the last one tells, as in dim_users.
ranked_events as (

    select
        user_id,
        ts,
        event_at,
        level,
        max(loaded_at) over (partition by user_id) as loaded_at,
        row_number() over (
            partition by user_id, ts
            order by
                session_id desc,
                item_in_session desc,
                loaded_at desc,
                first_name,
                last_name,
                gender,
                level,
                registered_at
        ) as recency_rank

    from events

),

levels as (

    select
        user_id,
        ts,
        event_at,
        level,
        loaded_at

    from ranked_events

    where recency_rank = 1

    {% if is_incremental() %}
    union all

    select
        user_id,
        valid_from_ts as ts,
        valid_from as event_at,
        level,
        loaded_at

    from {{ this }}

    where
        user_id in (select user_id from new_users)
        and valid_from_ts < (select min(ts) from events)
    {% endif %}

),

compared_levels as (

    select
        user_id,
        ts,
        event_at,
        level,
        max(loaded_at) over (partition by user_id) as loaded_at,
        coalesce(level, '') as compared_level,
        lag(coalesce(level, '')) over (
            partition by user_id order by ts
        ) as previous_level

    from levels

),

periods as (

    select
        user_id,
        level,
        ts as valid_from_ts,
        event_at as valid_from,
        lead(event_at) over (partition by user_id order by ts) as valid_to,
        loaded_at

    from compared_levels

    where previous_level is null or previous_level <> compared_level

),

final as (

    select
        md5(
            cast(user_id as varchar(20))
            || '|' || cast(valid_from_ts as varchar(20))
        ) as user_level_id,
        user_id,
        level,
        valid_from,
        valid_to,
        valid_to is null as is_current,
        valid_from_ts,
        loaded_at

    from periods

)

select * from final
