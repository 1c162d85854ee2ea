-- A row of the catalog without song_id or artist_id is left out of the star,
-- which nobody should have to find out alone.
{{ config(severity='warn') }}

select
    song_id,
    artist_id,
    title,
    artist_name,
    loaded_at
from {{ ref('stg_songs') }}
where song_id is null or artist_id is null
