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

artist_names as (

    select * from {{ ref('int_artist_names') }}

),

-- The hash tells spellings apart that Redshift takes for equal: those that
-- differ in blanks at the end.
spellings as (

    select
        artist_id,
        min(artist_name) as artist_name,
        count(*) as song_count

    from songs

    where artist_name is not null

    group by artist_id, md5(artist_name)

),

ranked_spellings as (

    select
        artist_id,
        artist_name,
        row_number() over (
            partition by artist_id
            order by song_count desc, length(artist_name), artist_name
        ) as spelling_rank

    from spellings

),

ranked_places as (

    select
        artist_id,
        artist_location,
        artist_latitude,
        artist_longitude,
        row_number() over (
            partition by artist_id
            order by
                case
                    when artist_location is null then 3
                    when artist_latitude is null then 2
                    when artist_longitude is null then 2
                    else 1
                end,
                song_id
        ) as place_rank

    from songs

),

catalog_artists as (

    select
        places.artist_id,
        coalesce(spellings.artist_name, 'Unknown') as name,
        places.artist_location as location,
        places.artist_latitude as latitude,
        places.artist_longitude as longitude,
        true as is_in_catalog

    from ranked_places as places

    left join ranked_spellings as spellings
        on
            places.artist_id = spellings.artist_id
            and spellings.spelling_rank = 1

    where places.place_rank = 1

),

inferred_artists as (

    select
        {{ inferred_id('XA', 'heard_songs.artist_key') }} as artist_id,
        min(heard_songs.artist_name) as name,
        cast(null as varchar(4096)) as location,
        cast(null as double precision) as latitude,
        cast(null as double precision) as longitude,
        false as is_in_catalog

    from heard_songs

    left join artist_names on heard_songs.artist_key = artist_names.artist_key

    where artist_names.artist_id is null

    group by heard_songs.artist_key

),

final as (

    select * from catalog_artists

    union all

    select * from inferred_artists

)

select * from final
