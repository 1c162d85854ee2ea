-- On Redshift distributed and sorted by the key that plays are matched on.
{{ config(dist='song_key', sort='song_key') }}

with

songs as (

    select * from {{ ref('stg_songs') }}

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

    from songs as versions

    qualify {{ latest_version('song_id', [
        'title', 'artist_id', 'artist_name', 'artist_location',
        'artist_latitude', 'artist_longitude', 'year', 'duration',
    ]) }}

)

select * from latest
