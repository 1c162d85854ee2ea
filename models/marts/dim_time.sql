-- On Redshift every node has all of it: it is small.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='start_hour',
        on_schema_change='fail',
        post_hook="
            delete from {{ this }}
            where start_hour not between (
                select coalesce(min(first_start_hour), timestamp '2200-01-01')
                from {{ ref('int_heard_songs') }}
            ) and (
                select max(last_start_hour) from {{ ref('int_heard_songs') }}
            )
        ",
        dist='all',
        sort='start_hour',
    )
}}

-- The hook deletes hours that are before the first play or after the last, once
-- plays were deleted.

{% set missing = days_to_list(
    ref('int_heard_songs'), this if is_incremental() else none
) %}

with

heard_songs as (

    select * from {{ ref('int_heard_songs') }}

),

bounds as (

    select
        min(first_start_hour) as first_start_hour,
        max(last_start_hour) as last_start_hour

    from heard_songs

),

numbered_days as (

    {{ dbt.generate_series(missing.day_count) }}

),

numbered_hours as (

    {{ dbt.generate_series(24) }}

),

days as (

    select
        {{ dbt.dateadd(
            'day',
            'cast(generated_number - 1 as integer)',
            "timestamp '" ~ missing.first_day ~ "'"
        ) }} as start_day

    from numbered_days

),

hours as (

    select
        {{ dbt.dateadd(
            'hour',
            'cast(numbered_hours.generated_number - 1 as integer)',
            'days.start_day'
        ) }} as start_hour

    from days

    cross join numbered_hours

),

final as (

    select
        hours.start_hour,
        cast(extract(hour from hours.start_hour) as integer) as hour,
        cast(extract(day from hours.start_hour) as integer) as day,
        cast(extract(week from hours.start_hour) as integer) as week,
        cast(extract(month from hours.start_hour) as integer) as month,
        cast(extract(year from hours.start_hour) as integer) as year,
        cast(extract(dow from hours.start_hour) as integer) as weekday,
        cast(date_trunc('week', hours.start_hour) as date) as week_start

    from hours

    inner join bounds
        on
            hours.start_hour >= bounds.first_start_hour
            and hours.start_hour <= bounds.last_start_hour

    {% if is_incremental() %}
    where hours.start_hour not in (select start_hour from {{ this }})
    {% endif %}

)

select * from final
