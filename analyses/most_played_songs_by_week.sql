-- Question: which songs are played most in each week?
-- One row per ISO week and song, at most 5 per week.
-- Caveats: weeks begin on Monday (UTC). The first and the last week of the data
-- may be incomplete.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

songs as (

    select * from {{ ref('dim_songs') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

counted as (

    select
        hours.week_start,
        songplays.song_id,
        count(*) as play_count

    from songplays

    inner join hours on songplays.start_hour = hours.start_hour

    group by hours.week_start, songplays.song_id

),

ranked as (

    select
        *,
        row_number() over (
            partition by week_start order by play_count desc, song_id
        ) as play_rank

    from counted

)

select
    ranked.week_start,
    ranked.play_rank,
    songs.title,
    ranked.play_count
from ranked
inner join songs on ranked.song_id = songs.song_id
where ranked.play_rank <= 5
order by ranked.week_start, ranked.play_rank
