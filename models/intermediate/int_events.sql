-- On Redshift the events of one user lie together, in order of time.
{{
    config(
        materialized='incremental',
        incremental_strategy='bounded_delete_insert',
        unique_key='event_id',
        event_time='event_at',
        dist='user_id',
        sort='event_at',
    )
}}

with

events as (

    select * from {{ ref('stg_events') }}

    where
        user_id is not null
    {% if is_incremental() %}
        and loaded_at > {{ watermark('loaded_at') }}
    {% endif %}

),

latest as (

    select
        *,
        page = 'NextSong' as is_play

    from events as versions

    qualify {{ latest_version('event_id', [
        'page', 'level', 'song_title', 'artist_name', 'song_length', 'location',
        'user_agent', 'first_name', 'last_name', 'gender', 'registered_at',
    ]) }}

),

played as (

    select
        *,
        case when is_play then coalesce(song_title, 'Unknown') end
            as played_title,
        case when is_play then coalesce(artist_name, 'Unknown') end
            as played_artist_name,
        case when is_play then song_length end as played_length

    from latest

),

final as (

    select
        -- ids
        event_id,
        user_id,
        session_id,
        item_in_session,

        -- user
        first_name,
        last_name,
        gender,
        level,
        location,
        registered_at,
        user_agent,

        -- what the user did
        page,
        is_play,
        played_title as song_title,
        played_artist_name as artist_name,
        played_length as song_length,
        {{ match_key('played_title', 'played_artist_name', 'played_length') }}
            as match_key,

        -- times
        ts,
        event_at,
        loaded_at

    from played

)

select * from final
