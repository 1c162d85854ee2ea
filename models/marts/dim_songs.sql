-- On Redshift a song lies on the node of its plays, so that joins move no rows.
{{ config(dist='song_id', sort='song_id') }}

with

songs as (

    select * from {{ ref('int_songs') }}

),

heard_songs as (

    select * from {{ ref('int_heard_songs') }}

),

song_matches as (

    select * from {{ ref('int_song_matches') }}

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

-- Of several spellings, the smallest; of several lengths, the shortest.
inferred_songs as (

    select
        song_matches.song_id,
        min(heard_songs.song_title) as title,
        min(song_matches.artist_id) as artist_id,
        cast(null as integer) as year,
        min(heard_songs.song_length) as duration,
        false as is_in_catalog

    from song_matches

    inner join heard_songs on song_matches.match_key = heard_songs.match_key

    left join songs on song_matches.song_id = songs.song_id

    where songs.song_id is null

    group by song_matches.song_id

),

final as (

    select * from catalog_songs

    union all

    select * from inferred_songs

)

select * from final
