-- On Redshift the sessions of one user lie together, in order of time.
{{
    config(
        materialized='incremental',
        incremental_strategy='bounded_delete_insert',
        unique_key='user_session_id',
        event_time='start_time',
        meta={'event_end': 'end_time'},
        dist='user_id',
        sort='start_time',
    )
}}

{% if is_incremental() %}
{% set is_new = 'loaded_at > ' ~ watermark('loaded_at') %}
{% set new_times = bounds('event_at', ref('int_events'), is_new) %}
{% set known_times = bounds(
    'start_time',
    this,
    'session_id in (select session_id from ' ~ ref('int_events')
    ~ ' where ' ~ is_new ~ ')',
    last_column='end_time'
) %}
{% endif %}

with

-- All events of the sessions that have new ones.
events as (

    select
        *,
        first_value(level) over (
            partition by user_id, session_id
            order by ts, item_in_session
            rows between unbounded preceding and unbounded following
        ) as start_level,
        last_value(level) over (
            partition by user_id, session_id
            order by ts, item_in_session
            rows between unbounded preceding and unbounded following
        ) as end_level

    from {{ ref('int_events') }}
    {%- if is_incremental() %}

    where
        (event_at between {{ new_times }} or event_at between {{ known_times }})
        and {{ user_session_id('user_id', 'session_id') }} in (
            select {{ user_session_id('user_id', 'session_id') }}
            from {{ ref('int_events') }}
            where {{ is_new }}
        )
    {%- endif %}

),

sessions as (

    select
        {{ user_session_id('user_id', 'session_id') }} as user_session_id,
        user_id,
        session_id,
        min(event_at) as start_time,
        max(event_at) as end_time,
        (max(ts) - min(ts)) / cast(1000 as double precision)
            as duration_seconds,
        cast(count(match_key) as integer) as play_count,
        cast(
            count(distinct {{ song_key('song_title', 'artist_name') }})
            as integer
        ) as song_count,
        cast(
            count(distinct {{ artist_key('artist_name') }}) as integer
        ) as artist_count,
        max(start_level) as start_level,
        max(end_level) as end_level,
        max(case when page = 'Submit Upgrade' then 1 else 0 end) = 1
            as has_upgrade,
        max(case when page = 'Submit Downgrade' then 1 else 0 end) = 1
            as has_downgrade,
        max(case when page = 'Error' then 1 else 0 end) = 1 as has_error,
        max(case when page = 'Logout' then 1 else 0 end) = 1 as has_logout,

        -- bookkeeping
        max(loaded_at) as loaded_at

    from events

    group by user_id, session_id

)

select * from sessions
