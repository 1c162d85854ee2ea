with

source as (

    select * from {{ source('sparkify', 'staging_songs') }}

),

renamed as (

    select
        -- ids
        {{ blank_to_null('song_id') }} as song_id,
        {{ blank_to_null('artist_id') }} as artist_id,

        -- song
        {{ blank_to_null('title') }} as title,
        nullif(cast(year as integer), 0) as year,
        duration,

        -- artist
        {{ blank_to_null('artist_name') }} as artist_name,
        {{ blank_to_null('artist_location') }} as artist_location,
        artist_latitude,
        artist_longitude,

        -- times
        loaded_at

    from source

),

keyed as (

    select
        *,
        {{ song_key('title', 'artist_name') }} as song_key,
        {{ artist_key('artist_name') }} as artist_key

    from renamed

)

select * from keyed
