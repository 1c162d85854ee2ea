-- On Redshift a song lies with its plays, so that joining them moves nothing.
{{ config(dist='song_id', sort='song_id') }}

with

songs as (

    select * from {{ ref('int_songs') }}

),

heard_songs as (

    select * from {{ ref('int_heard_songs') }}

),

artist_names as (

    select * from {{ ref('int_artist_names') }}

),

catalog_songs as (

    select
        song_id,
        coalesce(title, 'Unknown') as title,
        artist_id,
        year,
        duration,
        true as is_in_catalog

    from songs

),

inferred_songs as (

    select
        {{ inferred_id('XS', 'heard_songs.song_key') }} as song_id,
        heard_songs.song_title as title,
        coalesce(
            artist_names.artist_id,
            {{ inferred_id('XA', 'heard_songs.artist_key') }}
        ) as artist_id,
        cast(null as integer) as year,
        heard_songs.song_length as duration,
        false as is_in_catalog

    from heard_songs

    left join songs
        on
            heard_songs.song_key = songs.song_key
            and heard_songs.artist_key = songs.artist_key

    left join artist_names on heard_songs.artist_key = artist_names.artist_key

    where songs.song_id is null

),

final as (

    select * from catalog_songs

    union all

    select * from inferred_songs

)

select * from final
