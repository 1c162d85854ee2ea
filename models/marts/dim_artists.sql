-- On Redshift every node holds a copy: the table is small, and plays join it.
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

-- The most frequent name, then the shortest, then the smallest. Grouped by
-- hash, since Redshift ignores trailing blanks when it compares.
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

-- From one song: one with location and coordinates, else one with a location.
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
                when artist_latitude + artist_longitude is null then 2
                else 1
            end,
            song_id
    ) = 1

),

-- Of several spellings, the smallest.
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

    where song_matches.artist_id not in (select places.artist_id from places)

    group by song_matches.artist_id

),

final as (

    select
        places.artist_id,
        coalesce(names.name, 'Unknown') as name,
        places.location,
        places.latitude,
        places.longitude,
        true as is_in_catalog

    from places

    left join names on places.artist_id = names.artist_id

    union all

    select * from inferred_artists

)

select * from final
