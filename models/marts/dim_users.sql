-- On Redshift every node holds a copy: the table is small.
{{
    config(
        materialized='incremental',
        unique_key='user_id',
        dist='all',
        sort='user_id',
    )
}}

with

latest_events as (

    select
        user_id,
        first_name,
        last_name,
        gender,
        level,
        registered_at,

        -- bookkeeping
        ts as latest_ts,
        session_id as latest_session_id,
        item_in_session as latest_item_in_session,
        loaded_at

    from {{ ref('int_events') }} as events
    {%- if is_incremental() %}

    where loaded_at > {{ watermark('loaded_at') }}
    {%- endif %}

    qualify row_number() over (
        partition by user_id
        order by ts desc, session_id desc, item_in_session desc
    ) = 1

),

users as (

    select latest_events.*

    from latest_events
    {%- if is_incremental() %}

    left join {{ this }} as known
        on latest_events.user_id = known.user_id

    where
        known.user_id is null
        or latest_events.latest_ts > known.latest_ts
        or (
            latest_events.latest_ts = known.latest_ts
            and latest_events.latest_session_id > known.latest_session_id
        )
        or (
            latest_events.latest_ts = known.latest_ts
            and latest_events.latest_session_id = known.latest_session_id
            and latest_events.latest_item_in_session
            >= known.latest_item_in_session
        )
    {%- endif %}

)

select * from users
