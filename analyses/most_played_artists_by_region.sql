-- Question: which artists are played most in each region of the USA?
-- One row per region and artist, at most 5 per region.
-- Caveats: the region is that of the first state of the user's metro area at
-- the time of the play. Plays without a recognized location count for region
-- Unknown.

with

songplays as (

    select * from {{ ref('fct_songplays') }}

),

locations as (

    select * from {{ ref('dim_locations') }}

),

artists as (

    select * from {{ ref('dim_artists') }}

),

counted as (

    select
        coalesce(locations.region, 'Unknown') as region,
        songplays.artist_id,
        count(*) as play_count

    from songplays

    left join locations on songplays.location = locations.location

    group by coalesce(locations.region, 'Unknown'), songplays.artist_id

),

ranked as (

    select
        *,
        row_number() over (
            partition by region order by play_count desc, artist_id
        ) as play_rank

    from counted

)

select
    ranked.region,
    ranked.play_rank,
    artists.name as artist_name,
    ranked.play_count
from ranked
inner join artists on ranked.artist_id = artists.artist_id
where ranked.play_rank <= 5
order by ranked.region, ranked.play_rank
