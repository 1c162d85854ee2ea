-- A view, so that songs and names are always of one catalogue, whichever build
-- made it last.
{{ config(materialized='view') }}

with

songs as (

    select * from {{ ref('int_songs') }}

),

-- Several artists can bear one name: most songs under it, then smallest id.
ranked as (

    select
        artist_key,
        artist_id,
        row_number() over (
            partition by artist_key
            order by count(*) desc, artist_id
        ) as bearer_rank

    from songs

    where artist_key is not null

    group by artist_key, artist_id

),

bearers as (

    select
        artist_key,
        artist_id

    from ranked

    where bearer_rank = 1

)

select * from bearers
