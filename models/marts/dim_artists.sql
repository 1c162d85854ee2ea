-- On Redshift every node has all of it: it is small, and joined by songs and
-- plays.
{{ config(dist='all', sort='artist_id') }}

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

-- The name that most songs carry, then the shortest, then the smallest. The
-- hash tells spellings apart that Redshift takes for equal: those that differ
-- in blanks at the end.
names as (

    select
        artist_id,
        min(artist_name) as name

    from songs as named_songs

    where artist_name is not null

    group by artist_id, md5(artist_name)

    qualify row_number() over (
        partition by artist_id
        order by count(*) desc, length(min(artist_name)), min(artist_name)
    ) = 1

),

-- The place of one song: with location and coordinates first, then with
-- location.
places as (

    select
        artist_id,
        artist_location as location,
        artist_latitude as latitude,
        artist_longitude as longitude

    from songs as placed_songs

    qualify row_number() over (
        partition by artist_id
        order by
            case
                when artist_location is null then 3
                when artist_latitude is null then 2
                when artist_longitude is null then 2
                else 1
            end,
            song_id
    ) = 1

),

catalog_artists as (

    select
        places.artist_id,
        coalesce(names.name, 'Unknown') as name,
        places.location,
        places.latitude,
        places.longitude,
        true as is_in_catalog

    from places

    left join names on places.artist_id = names.artist_id

),

-- Of several spellings the smallest.
inferred_artists as (

    select
        song_matches.artist_id,
        min(heard_songs.artist_name) as name,
        cast(null as varchar(4096)) as location,
        cast(null as double precision) as latitude,
        cast(null as double precision) as longitude,
        false as is_in_catalog

    from song_matches

    inner join heard_songs on song_matches.match_key = heard_songs.match_key

    left join places on song_matches.artist_id = places.artist_id

    where places.artist_id is null

    group by song_matches.artist_id

),

final as (

    select * from catalog_artists

    union all

    select * from inferred_artists

)

select * from final
