-- An inferred song exists for its plays. One without plays should have been
-- removed when the catalog got the song, or when its events were corrected.
{{ config(tags='weekly') }}

select songs.song_id
from {{ ref('dim_songs') }} as songs
left join {{ ref('fct_songplays') }} as songplays
    on songs.song_id = songplays.song_id
where
    not songs.is_in_catalog
    and songplays.songplay_id is null
