-- On Redshift every node holds a copy: the table is small.
{{
    config(
        materialized='incremental',
        unique_key='user_id',
        dist='all',
        sort=['user_id', 'valid_from'],
    )
}}

{% if is_incremental() %}
{% set is_new = 'loaded_at > ' ~ watermark('loaded_at') %}
{% endif %}

with

-- All events since the first new one of any user: a late event can split a
-- period, and the events after it determine when the new period ends.
events as (

    select * from {{ ref('int_events') }}
    {%- if is_incremental() %}

    where
        event_at >= {{ smallest('event_at', ref('int_events'), is_new) }}
        and user_id in (
            select user_id from {{ ref('int_events') }} where {{ is_new }}
        )
    {%- endif %}

),

-- Of simultaneous events the last one counts, as in dim_users.
levels as (

    select
        user_id,
        level,
        ts,
        event_at,
        max(loaded_at) over (partition by user_id) as loaded_at

    from events as logged_events

    qualify
        row_number() over (
            partition by user_id, ts
            order by session_id desc, item_in_session desc
        ) = 1
    {%- if is_incremental() %}

    union all

    select
        user_id,
        level,
        valid_from_ts as ts,
        valid_from as event_at,
        loaded_at

    from {{ this }}

    where
        valid_from < (select min(event_at) from events)
        and user_id in (select user_id from events)
    {%- endif %}

),

changes as (

    select
        *,
        max(loaded_at) over (partition by user_id) as newest_loaded_at

    from levels as known_levels

    qualify
        coalesce(level, '') <> coalesce(
            lag(coalesce(level, '')) over (partition by user_id order by ts),
            'none before'
        )

),

final as (

    select
        md5(
            cast(user_id as varchar(20)) || '|' || cast(ts as varchar(20))
        ) as user_level_id,
        user_id,
        level,
        event_at as valid_from,
        lead(event_at) over (partition by user_id order by ts) as valid_to,
        lead(event_at) over (partition by user_id order by ts) is null
            as is_current,

        -- bookkeeping
        ts as valid_from_ts,
        newest_loaded_at as loaded_at

    from changes

)

select * from final
