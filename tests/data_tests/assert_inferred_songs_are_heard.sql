-- An inferred song is there for its plays. One without plays was not removed
-- when the catalog took them over, or when its event was corrected.
{{ config(tags='weekly') }}

select songs.song_id
from {{ ref('dim_songs') }} as songs
left join {{ ref('fct_songplays') }} as songplays
    on songs.song_id = songplays.song_id
where
    not songs.is_in_catalog
    and songplays.songplay_id is null
