-- On Redshift every node holds a copy: the table is small, and plays join it.
{{
    config(
        materialized='incremental',
        unique_key='match_key',
        post_hook='delete from {{ this }} where song_title is null',
        dist='all',
        sort='match_key',
    )
}}

-- depends_on: {{ ref('stg_events') }}
{% if is_incremental() %}
{% set is_new = 'loaded_at > ' ~ watermark('loaded_at') %}
{% set new_times = bounds('ts', ref('int_events'), is_new) %}
{% endif %}

with

plays as (

    select * from {{ ref('int_events') }}

    where is_play {%- if is_incremental() %} and {{ is_new }} {%- endif %}

),

{% if is_incremental() %}
-- The songs of earlier versions of the new events.
former_keys as (

    select
        {{ match_key(
            "coalesce(former.song_title, 'Unknown')",
            "coalesce(former.artist_name, 'Unknown')",
            'former.song_length'
        ) }} as match_key

    from {{ ref('stg_events') }} as former

    inner join {{ ref('int_events') }} as events
        on
            former.event_id = events.event_id
            and former.loaded_at < events.loaded_at

    where
        former.page = 'NextSong'
        and former.raw_ts between {{ new_times }}
        and events.ts between {{ new_times }}
        and events.{{ is_new }}

),

-- A row without a title replaces a song without plays; the hook deletes it.
unheard_songs as (

    select distinct
        match_key,
        cast(null as varchar(4096)) as song_title,
        cast(null as varchar(4096)) as artist_name,
        cast(null as double precision) as song_length,
        cast(null as varchar(32)) as song_key,
        cast(null as varchar(32)) as artist_key,
        cast(null as timestamp) as loaded_at

    from former_keys

    where match_key not in (
        select match_key from {{ ref('int_events') }}
        where is_play and match_key in (select match_key from former_keys)
    )

),
{% endif %}

-- A known song is written again, with its newer loaded_at.
heard_songs as (

    select
        match_key,
        song_title,
        artist_name,
        song_length,
        {{ song_key('song_title', 'artist_name') }} as song_key,
        {{ artist_key('artist_name') }} as artist_key,
        max(loaded_at) as loaded_at

    from plays

    group by match_key, song_title, artist_name, song_length

),

final as (

    select * from heard_songs

    {%- if is_incremental() %}

    union all

    select * from unheard_songs
    {%- endif %}

)

select * from final
