-- On Redshift a play lies on the node of its song, the largest dimension, in
-- order of time, which analysts and builds filter by.
{{
    config(
        materialized='incremental',
        incremental_strategy='bounded_delete_insert',
        unique_key='songplay_id',
        event_time='start_time',
        pre_hook='{{ delete_former_plays() }}',
        dist='song_id',
        sort='start_time',
    )
}}

-- Whether the match of earlier plays has changed, or was made with a catalog
-- older than that of other plays.
{% set has_other_matches = is_incremental() and has_newer(
    ref('int_song_matches'), 'matched_at', than='matched_at'
) %}

with

song_matches as (

    select * from {{ ref('int_song_matches') }}

),

-- Matched plays only: a concurrent build may have added newer ones.
plays as (

    select * from {{ ref('int_events') }}

    where
        is_play
        and loaded_at <= {{ last_loaded_at(ref('int_song_matches')) }}
    {% if is_incremental() %}
        and (
            loaded_at > {{ watermark('loaded_at') }}
            {% if has_other_matches %}
            or match_key in (
                select match_key from song_matches
                where matched_at > {{ watermark('matched_at') }}
            )
            or match_key in (
                select match_key from {{ this }} where matched_at is null
            )
            {% endif %}
        )
    {% endif %}

),

final as (

    select
        plays.event_id as songplay_id,
        plays.event_at as start_time,
        date_trunc('hour', plays.event_at) as start_hour,
        plays.user_id,
        plays.level,
        song_matches.song_id,
        song_matches.artist_id,
        plays.session_id,
        plays.item_in_session,
        plays.location,
        plays.user_agent,

        -- bookkeeping
        plays.match_key,
        song_matches.matched_at,
        plays.loaded_at

    from plays

    left join song_matches on plays.match_key = song_matches.match_key

)

select * from final
