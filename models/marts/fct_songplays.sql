-- On Redshift a play lies with its song, the largest dimension, and in the
-- order of time, by which analysts narrow their questions and builds their
-- look-ups.
{{
    config(
        materialized='incremental',
        incremental_strategy='bounded_delete_insert',
        unique_key='songplay_id',
        event_time='start_time',
        on_schema_change='fail',
        dist='song_id',
        sort='start_time',
    )
}}

-- Read by the incremental build alone.
-- depends_on: {{ ref('stg_songs') }}

-- Whether plays are to be matched again: with songs that are new or changed, or
-- because they were matched with a catalogue older than other plays'.
{% set has_catalog_changed = is_incremental() and has_rows(
    ref('int_songs'),
    'loaded_at > ' ~ watermark('catalog_loaded_at') ~ ' or (select count(*) from '
    ~ this ~ ' where catalog_loaded_at is null) > 0'
) %}

with

events as (

    select * from {{ ref('int_plays') }}

    {% if is_incremental() %}
    where loaded_at > {{ watermark('loaded_at') }}
    {% endif %}

),

songs as (

    select * from {{ ref('int_songs') }}

),

artist_names as (

    select * from {{ ref('int_artist_names') }}

),

-- The event loaded last wins; of those loaded together, the first by content.
ranked_events as (

    select
        *,
        row_number() over (
            partition by songplay_id
            order by
                loaded_at desc,
                level,
                song_title,
                artist_name,
                song_length,
                location,
                user_agent
        ) as version_rank

    from events

),

new_plays as (

    select
        songplay_id,
        start_time,
        user_id,
        level,
        session_id,
        item_in_session,
        location,
        user_agent,
        song_title,
        artist_name,
        song_length,
        song_key,
        artist_key,
        loaded_at,
        cast(null as varchar(256)) as previous_song_id,
        cast(null as varchar(256)) as previous_artist_id,
        cast(null as timestamp) as previous_catalog_loaded_at

    from ranked_events

    where version_rank = 1

),

{% if has_catalog_changed %}
-- Names, now or before, of the artists of songs that came to the catalogue or
-- changed in it since plays were matched.
changed_artists as (

    select versions.artist_key

    from {{ ref('stg_songs') }} as versions

    inner join songs on versions.song_id = songs.song_id

    where songs.loaded_at > {{ watermark('catalog_loaded_at') }}

    union

    select artist_key from {{ this }}

    where catalog_loaded_at is null

),

earlier_plays as (

    select
        earlier.songplay_id,
        earlier.start_time,
        earlier.user_id,
        earlier.level,
        earlier.session_id,
        earlier.item_in_session,
        earlier.location,
        earlier.user_agent,
        earlier.song_title,
        earlier.artist_name,
        earlier.song_length,
        earlier.song_key,
        earlier.artist_key,
        earlier.loaded_at,
        earlier.song_id as previous_song_id,
        earlier.artist_id as previous_artist_id,
        earlier.catalog_loaded_at as previous_catalog_loaded_at

    from {{ this }} as earlier

    inner join changed_artists
        on earlier.artist_key = changed_artists.artist_key

    left join new_plays on earlier.songplay_id = new_plays.songplay_id

    where new_plays.songplay_id is null

),
{% endif %}

plays as (

    select * from new_plays

    {% if has_catalog_changed %}
    union all

    select * from earlier_plays
    {% endif %}

),

-- Nearest duration, then smallest id. A distance that cannot be told is the
-- farthest.
candidates as (

    select
        plays.songplay_id,
        songs.song_id,
        songs.artist_id,
        row_number() over (
            partition by plays.songplay_id
            order by
                coalesce(abs(songs.duration - plays.song_length), 1e9),
                songs.song_id
        ) as candidate_rank

    from plays

    inner join songs
        on
            plays.song_key = songs.song_key
            and plays.artist_key = songs.artist_key

),

matched as (

    select
        plays.*,
        coalesce(
            candidates.song_id, {{ inferred_id('XS', 'plays.song_key') }}
        ) as song_id,
        coalesce(
            candidates.artist_id,
            artist_names.artist_id,
            {{ inferred_id('XA', 'plays.artist_key') }}
        ) as artist_id

    from plays

    left join candidates
        on
            plays.songplay_id = candidates.songplay_id
            and candidates.candidate_rank = 1

    left join artist_names on plays.artist_key = artist_names.artist_key

),

-- None if it is older than what other plays were matched with, as a build that
-- began earlier may leave it: a later build then matches these again.
catalog as (

    select max(loaded_at) as loaded_at

    from songs

    {% if is_incremental() %}
    having max(loaded_at) >= {{ watermark('catalog_loaded_at') }}
    {% endif %}

),

final as (

    select
        matched.songplay_id,
        matched.start_time,
        date_trunc('hour', matched.start_time) as start_hour,
        matched.user_id,
        matched.level,
        matched.song_id,
        matched.artist_id,
        matched.session_id,
        matched.item_in_session,
        matched.location,
        matched.user_agent,
        matched.song_title,
        matched.artist_name,
        matched.song_length,
        matched.song_key,
        matched.artist_key,
        matched.loaded_at,
        catalog.loaded_at as catalog_loaded_at

    from matched

    left join catalog on 1 = 1

    where
        matched.previous_catalog_loaded_at is null
        or matched.previous_song_id <> matched.song_id
        or matched.previous_artist_id <> matched.artist_id

)

select * from final
