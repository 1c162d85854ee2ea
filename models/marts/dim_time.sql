-- On Redshift every node holds a copy: the table is small.
{{
    config(
        materialized='incremental',
        unique_key='start_hour',
        pre_hook='{{ delete_hours_without_plays() }}',
        dist='all',
        sort='start_hour',
    )
}}

-- depends_on: {{ ref('int_events') }}
{% set hours = play_hours(this if is_incremental() else none) %}

with

numbered_days as (

    {{ dbt.generate_series(hours.day_count) }}

),

numbered_hours as (

    {{ dbt.generate_series(24) }}

),

days as (

    select
        {{ dbt.dateadd(
            'day',
            'cast(generated_number - 1 as integer)',
            "timestamp '" ~ hours.first_day ~ "'"
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
        start_hour,
        cast(extract(hour from start_hour) as integer) as hour,
        cast(extract(day from start_hour) as integer) as day,
        cast(extract(week from start_hour) as integer) as week,
        cast(extract(month from start_hour) as integer) as month,
        cast(extract(year from start_hour) as integer) as year,
        cast(extract(dow from start_hour) as integer) as weekday,
        cast(date_trunc('week', start_hour) as date) as week_start

    from hours

    where
        start_hour between '{{ hours.first_hour }}' and '{{ hours.last_hour }}'
    {% if is_incremental() %}
        and start_hour not in (select start_hour from {{ this }})
    {% endif %}

)

select * from final
