-- On Redshift every node holds a copy: the table is small.
{{ config(dist='all', sort='location') }}

with

locations as (

    select * from {{ ref('int_locations') }}

),

us_states as (

    select * from {{ ref('us_states') }}

),

split_locations as (

    select
        location,
        split_part(trim(both ' ' from location), ', ', 1) as metro_area,
        split_part(trim(both ' ' from location), ', ', 2) as state_codes,
        split_part(trim(both ' ' from location), ', ', 3) as rest

    from locations

),

final as (

    select
        split_locations.location,
        case
            when us_states.state_code is not null
                then split_locations.metro_area
        end as metro_area,
        case
            when us_states.state_code is not null
                then split_locations.state_codes
        end as state_codes,
        us_states.state_code,
        us_states.state_name,
        us_states.region,
        us_states.division,
        us_states.state_code is not null as is_recognized

    from split_locations

    left join us_states
        on
            split_part(split_locations.state_codes, '-', 1)
            = us_states.state_code
            and split_locations.metro_area <> ''
            and split_locations.rest = ''

)

select * from final
