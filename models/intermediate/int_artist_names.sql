-- On Redshift every node has all of it: it is small.
{{ config(dist='all', sort='artist_key') }}

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

catalog as (

    select max(loaded_at) as loaded_at from songs

),

bearers as (

    select
        ranked.artist_key,
        ranked.artist_id,
        catalog.loaded_at as catalog_loaded_at

    from ranked

    cross join catalog

    where ranked.bearer_rank = 1

)

select * from bearers
