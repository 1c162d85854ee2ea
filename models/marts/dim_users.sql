-- On Redshift every node has all of it: it is small.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='user_id',
        on_schema_change='fail',
        dist='all',
        sort='user_id',
    )
}}

-- Built after what has users, so that a load in between leaves no play, session
-- or level without user.
-- depends_on: {{ ref('fct_songplays') }}
-- depends_on: {{ ref('fct_sessions') }}
-- depends_on: {{ ref('dim_user_levels') }}

with

events as (

    select * from {{ ref('stg_events') }}

    where user_id is not null

    {% if is_incremental() %}
    and loaded_at > {{ watermark('loaded_at') }}
    {% endif %}

),

-- The latest event tells; of one event loaded twice, the one loaded last; of
-- those loaded together, the first by content.
ranked_events as (

    select
        *,
        row_number() over (
            partition by user_id
            order by
                ts desc,
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

latest_events as (

    select
        user_id,
        first_name,
        last_name,
        gender,
        level,
        registered_at,
        ts as latest_ts,
        session_id as latest_session_id,
        item_in_session as latest_item_in_session,
        loaded_at

    from ranked_events

    where recency_rank = 1

),

users as (

    select latest_events.*

    from latest_events

    {% if is_incremental() %}
    left join {{ this }} as known_users
        on latest_events.user_id = known_users.user_id

    where
        known_users.user_id is null
        or latest_events.latest_ts > known_users.latest_ts
        or (
            latest_events.latest_ts = known_users.latest_ts
            and latest_events.latest_session_id > known_users.latest_session_id
        )
        or (
            latest_events.latest_ts = known_users.latest_ts
            and latest_events.latest_session_id = known_users.latest_session_id
            and latest_events.latest_item_in_session
            >= known_users.latest_item_in_session
        )
    {% endif %}

)

select * from users
