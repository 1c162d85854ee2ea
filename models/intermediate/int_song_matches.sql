-- On Redshift every node holds a copy: the table is small, and plays join it.
{{
    config(
        materialized='incremental',
        unique_key='match_key',
        dist='all',
        sort='match_key',
    )
}}

-- All songs are matched again if the catalog has changed or some had none.
{% set is_for_new_songs = is_incremental() and not has_newer(
    ref('int_songs'), 'loaded_at', than='catalog_loaded_at'
) %}

with

-- No row if another build has already matched with a newer catalog.
catalog as (

    select max(loaded_at) as loaded_at from {{ ref('int_songs') }}
    {%- if is_incremental() %}
    having max(loaded_at) >= {{ watermark('catalog_loaded_at') }}
    {%- endif %}

),

heard_songs as (

    select * from {{ ref('int_heard_songs') }}
    {%- if is_for_new_songs %}
    where loaded_at > {{ watermark('loaded_at') }}
    {%- endif %}

),

-- Several artists can share a name: most songs under it, then smallest id.
artist_names as (

    select
        artist_key,
        artist_id

    from {{ ref('int_songs') }} as songs

    group by artist_key, artist_id

    qualify row_number() over (
        partition by artist_key order by count(*) desc, artist_id
    ) = 1

),

-- Nearest duration, then smallest id; an unknown distance is the farthest.
matches as (

    select
        heard.match_key,
        heard.loaded_at,
        coalesce(songs.song_id, {{ inferred_id('XS', 'heard.song_key') }})
            as song_id,
        coalesce(
            songs.artist_id,
            artist_names.artist_id,
            {{ inferred_id('XA', 'heard.artist_key') }}
        ) as artist_id

    from heard_songs as heard

    left join {{ ref('int_songs') }} as songs
        on
            heard.song_key = songs.song_key
            and heard.artist_key = songs.artist_key

    left join artist_names on heard.artist_key = artist_names.artist_key

    qualify row_number() over (
        partition by heard.match_key
        order by
            coalesce(abs(songs.duration - heard.song_length), 1e9),
            songs.song_id
    ) = 1

),

final as (

    select
        matches.*,
        coalesce(
            {% if is_incremental() %}known.matched_at, {% endif %}catalog.loaded_at
        ) as matched_at,
        catalog.loaded_at as catalog_loaded_at

    from matches

    left join catalog on 1 = 1
    {%- if is_incremental() %}

    left join {{ this }} as known
        on
            matches.match_key = known.match_key
            and matches.song_id = known.song_id
            and matches.artist_id = known.artist_id
            and known.catalog_loaded_at is not null
    {%- endif %}

)

select * from final
