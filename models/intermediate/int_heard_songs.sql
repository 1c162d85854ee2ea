-- On Redshift it lies by the key that catalogue songs are looked up by.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='song_key',
        on_schema_change='fail',
        post_hook='delete from {{ this }} where song_title is null',
        dist='song_key',
        sort='song_key',
    )
}}

-- Read by the incremental build alone.
-- depends_on: {{ ref('int_plays') }}

with

{% if is_incremental() %}
{% set is_new = 'loaded_at > ' ~ watermark('loaded_at') %}
new_plays as (

    select * from {{ ref('fct_songplays') }}

    where
        start_time between {{ bounds('start_time', ref('int_plays'), is_new) }}
        and {{ is_new }}

),

-- Songs of which an event said something else before it was loaded again. What
-- they were known by may have gone with it.
corrected_songs as (

    select distinct
        events.song_key,
        events.artist_key

    from {{ ref('int_plays') }} as events

    inner join new_plays
        on
            events.songplay_id = new_plays.songplay_id
            and events.loaded_at < new_plays.loaded_at

    where
        events.ts between {{ bounds('ts', ref('int_plays'), is_new) }}
        and (
            events.song_title <> new_plays.song_title
            or events.artist_name <> new_plays.artist_name
            or coalesce(events.song_length, -1)
            <> coalesce(new_plays.song_length, -1)
        )

),

heard as (

    select
        song_key,
        artist_key,
        song_title,
        artist_name,
        song_length,
        start_hour as first_start_hour,
        start_hour as last_start_hour,
        loaded_at

    from new_plays

    union all

    -- What is known already of the songs of new plays.
    select
        song_key,
        artist_key,
        song_title,
        artist_name,
        song_length,
        first_start_hour,
        last_start_hour,
        loaded_at

    from {{ this }}

    where
        song_key in (select song_key from new_plays)
        and song_key not in (select song_key from corrected_songs)

    union all

    -- All plays of corrected songs.
    select
        song_key,
        artist_key,
        song_title,
        artist_name,
        song_length,
        start_hour as first_start_hour,
        start_hour as last_start_hour,
        loaded_at

    from {{ ref('fct_songplays') }}

    where song_key in (select song_key from corrected_songs)

    union all

    -- A row without a title replaces a corrected song that no play is left of;
    -- the hook then deletes it.
    select
        song_key,
        artist_key,
        null as song_title,
        null as artist_name,
        null as song_length,
        null as first_start_hour,
        null as last_start_hour,
        null as loaded_at

    from corrected_songs

),

{% else %}
heard as (

    select
        song_key,
        artist_key,
        song_title,
        artist_name,
        song_length,
        start_hour as first_start_hour,
        start_hour as last_start_hour,
        loaded_at

    from {{ ref('fct_songplays') }}

),

{% endif %}
songs as (

    select
        song_key,
        min(artist_key) as artist_key,
        min(song_title) as song_title,
        min(artist_name) as artist_name,
        min(song_length) as song_length,
        min(first_start_hour) as first_start_hour,
        max(last_start_hour) as last_start_hour,
        max(loaded_at) as loaded_at

    from heard

    group by song_key

)

select * from songs
