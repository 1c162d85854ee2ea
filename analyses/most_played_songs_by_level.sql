-- Question: which songs do free and paid users play most?
-- One row per level and song, at most 10 per level.
-- Caveats: the level is the one at the time of the play. Paid users play more,
-- so compare ranks, not counts.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

songs as (

    select * from {{ ref('dim_songs') }}

),

counted as (

    select
        level,
        song_id,
        count(*) as play_count

    from songplays

    where level is not null

    group by level, song_id

),

ranked as (

    select
        *,
        row_number() over (
            partition by level order by play_count desc, song_id
        ) as play_rank

    from counted

)

select
    ranked.level,
    ranked.play_rank,
    songs.title,
    ranked.play_count
from ranked
inner join songs on ranked.song_id = songs.song_id
where ranked.play_rank <= 10
order by ranked.level, ranked.play_rank
