-- A row of the catalogue without song_id or artist_id is left out of the star,
-- which nobody should have to find out alone.
{{ config(severity='warn') }}

select *
from {{ ref('stg_songs') }}
where song_id is null or artist_id is null
