-- On Redshift a session lies with the others of its user, in the order of time.
{{
    config(
        materialized='incremental',
        incremental_strategy='bounded_delete_insert',
        unique_key='user_session_id',
        event_time='start_time',
        meta={'event_end': 'end_time'},
        on_schema_change='fail',
        dist='user_id',
        sort='start_time',
    )
}}

-- Built after the fact, so that a load in between leaves no play without
-- session.
-- depends_on: {{ ref('fct_songplays') }}

with

{% if is_incremental() %}
{% set is_new = 'user_id is not null and loaded_at > '
    ~ watermark('loaded_at') %}
new_sessions as (

    select distinct
        user_id,
        session_id

    from {{ ref('stg_events') }}

    where {{ is_new }}

),

{% set times_of_new = bounds('ts', ref('stg_events'), is_new) %}
{% set times_of_known = bounds(
    'start_ts',
    this,
    'session_id in (select session_id from ' ~ ref('stg_events')
    ~ ' where ' ~ is_new ~ ')',
    last_column='end_ts'
) %}
{% endif %}

-- All events of the sessions that new ones belong to.
events as (

    select events.*

    from {{ ref('stg_events') }} as events

    {% if is_incremental() %}
    inner join new_sessions
        on
            events.user_id = new_sessions.user_id
            and events.session_id = new_sessions.session_id

    where
        events.ts between {{ times_of_new }}
        or events.ts between {{ times_of_known }}
    {% else %}
    where events.user_id is not null
    {% endif %}

),

plays as (

    select plays.*

    from {{ ref('int_plays') }} as plays

    {% if is_incremental() %}
    inner join new_sessions
        on
            plays.user_id = new_sessions.user_id
            and plays.session_id = new_sessions.session_id

    where
        plays.ts between {{ times_of_new }}
        or plays.ts between {{ times_of_known }}
    {% endif %}

),

-- The event loaded last wins; of those loaded together, the first by content.
ranked_events as (

    select
        *,
        row_number() over (
            partition by user_id, session_id, item_in_session, ts
            order by
                loaded_at desc,
                page,
                level
        ) as version_rank

    from events

),

ordered_events as (

    select
        *,
        row_number() over (
            partition by user_id, session_id order by ts, item_in_session
        ) as event_number,
        row_number() over (
            partition by user_id, session_id
            order by ts desc, item_in_session desc
        ) as event_number_from_end

    from ranked_events

    where version_rank = 1

),

sessions as (

    select
        user_id,
        session_id,
        min(ts) as start_ts,
        max(ts) as end_ts,
        min(event_at) as start_time,
        max(event_at) as end_time,
        max(case when event_number = 1 then level end) as start_level,
        max(
            case when event_number_from_end = 1 then level end
        ) as end_level,
        sum(case when page = 'Submit Upgrade' then 1 else 0 end) as upgrades,
        sum(case when page = 'Submit Downgrade' then 1 else 0 end)
            as downgrades,
        sum(case when page = 'Error' then 1 else 0 end) as errors,
        sum(case when page = 'Logout' then 1 else 0 end) as logouts,
        max(loaded_at) as loaded_at

    from ordered_events

    group by user_id, session_id

),

-- As in fct_songplays.
ranked_plays as (

    select
        *,
        row_number() over (
            partition by songplay_id
            order by
                loaded_at desc,
                level,
                song_title,
                artist_name
        ) as version_rank

    from plays

),

heard as (

    select
        user_id,
        session_id,
        count(*) as play_count,
        count(distinct song_key) as song_count,
        count(distinct artist_key) as artist_count

    from ranked_plays

    where version_rank = 1

    group by user_id, session_id

),

final as (

    select
        {{ user_session_id('sessions.user_id', 'sessions.session_id') }}
            as user_session_id,
        sessions.user_id,
        sessions.session_id,
        sessions.start_time,
        sessions.end_time,
        (sessions.end_ts - sessions.start_ts)
        / cast(1000 as double precision) as duration_seconds,
        cast(coalesce(heard.play_count, 0) as integer) as play_count,
        cast(coalesce(heard.song_count, 0) as integer) as song_count,
        cast(coalesce(heard.artist_count, 0) as integer) as artist_count,
        sessions.start_level,
        sessions.end_level,
        sessions.upgrades > 0 as has_upgrade,
        sessions.downgrades > 0 as has_downgrade,
        sessions.errors > 0 as has_error,
        sessions.logouts > 0 as has_logout,
        sessions.start_ts,
        sessions.end_ts,
        sessions.loaded_at

    from sessions

    left join heard
        on
            sessions.user_id = heard.user_id
            and sessions.session_id = heard.session_id

)

select * from final
