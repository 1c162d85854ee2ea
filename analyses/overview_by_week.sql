-- Question: how many people listen, how much and to what, who pays and who
-- leaves?
-- One row per ISO week of the data, also without plays.
-- Caveats: a week is complete if day_count is 7, though the first and the last
-- day of the data may be incomplete. Of those who leave, some come back.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

songs as (

    select * from {{ ref('dim_songs') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

hours as (

    select * from {{ ref('dim_time') }}

),

weeks as (

    select
        week_start,
        count(distinct day) as day_count

    from hours

    group by week_start

),

plays as (

    select
        hours.week_start,
        songplays.user_id,
        songplays.song_id,
        songplays.artist_id,
        case when songplays.level = 'paid' then 1 else 0 end as paid_play

    from songplays

    inner join hours on songplays.start_hour = hours.start_hour

),

listeners as (

    select
        week_start,
        user_id,
        count(*) as play_count,
        sum(paid_play) as paid_play_count,
        lead(week_start) over (
            partition by user_id order by week_start
        ) as next_week_start

    from plays

    group by week_start, user_id

),

counted as (

    select
        week_start,
        count(*) as listener_count,
        sum(case when paid_play_count > 0 then 1 else 0 end)
            as paid_listener_count,
        sum(play_count) as play_count,
        sum(paid_play_count) as paid_play_count,
        sum(
            case
                when
                    next_week_start
                    = {{ dbt.dateadd('day', 7, 'week_start') }}
                    then 0
                else 1
            end
        ) as leaving_count

    from listeners

    group by week_start

),

ranked_songs as (

    select
        week_start,
        song_id,
        row_number() over (
            partition by week_start order by count(*) desc, song_id
        ) as play_rank

    from plays

    group by week_start, song_id

),

ranked_artists as (

    select
        week_start,
        artist_id,
        row_number() over (
            partition by week_start order by count(*) desc, artist_id
        ) as play_rank

    from plays

    group by week_start, artist_id

)

select
    weeks.week_start,
    weeks.day_count,
    coalesce(counted.listener_count, 0) as listener_count,
    coalesce(counted.paid_listener_count, 0) as paid_listener_count,
    coalesce(previous.leaving_count, 0) as lost_listener_count,
    coalesce(counted.play_count, 0) as play_count,
    coalesce(counted.paid_play_count, 0) as paid_play_count,
    artists.name as top_artist_name,
    songs.title as top_song_title
from weeks
left join counted on weeks.week_start = counted.week_start
left join counted as previous
    on
        weeks.week_start
        = {{ dbt.dateadd('day', 7, 'previous.week_start') }}
left join ranked_artists
    on
        weeks.week_start = ranked_artists.week_start
        and ranked_artists.play_rank = 1
left join artists on ranked_artists.artist_id = artists.artist_id
left join ranked_songs
    on
        weeks.week_start = ranked_songs.week_start
        and ranked_songs.play_rank = 1
left join songs on ranked_songs.song_id = songs.song_id
order by weeks.week_start
