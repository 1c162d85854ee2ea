-- On Redshift it lies by the key that plays are matched by, in its order.
{{ config(dist='song_key', sort='song_key') }}

with

songs as (

    select * from {{ ref('stg_songs') }}

),

-- The song loaded last wins; of those loaded together, the first by content.
ranked as (

    select
        *,
        row_number() over (
            partition by song_id
            order by
                loaded_at desc,
                title,
                artist_id,
                artist_name,
                artist_location,
                artist_latitude,
                artist_longitude,
                year,
                duration
        ) as version_rank

    from songs

    where song_id is not null and artist_id is not null

),

latest as (

    select
        song_id,
        artist_id,
        title,
        year,
        duration,
        artist_name,
        artist_location,
        artist_latitude,
        artist_longitude,
        song_key,
        artist_key,
        loaded_at

    from ranked

    where version_rank = 1

)

select * from latest
