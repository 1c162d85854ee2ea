-- An event with an impossible ts is left out of the star, and a user with an
-- impossible registration has no registered_at. One row per column and kind of
-- mistake. Both engines skip blocks without any.
{{ config(severity='warn', fail_calc='coalesce(sum(event_count), 0)') }}

{% set first_ms, last_ms = epoch_ms_limits() %}

with

wrong_times as (

    {% for column, logged in {
        'ts': 'cast(ts as bigint)', 'registration': 'registration'
    }.items() %}
    select
        cast('{{ column }}' as varchar(32)) as column_name,
        cast({{ column }} as double precision) as epoch_ms,
        cast({{ logged }} as varchar(32)) as logged_value,
        loaded_at
    from {{ source('sparkify', 'staging_events') }}
    where {{ column }} < {{ first_ms }} or {{ column }} > {{ last_ms }}
    {% if not loop.last %}

    union all

    {% endif %}
    {% endfor %}

),

explained as (

    select
        *,
        cast(
            case
                when
                    epoch_ms
                    between {{ first_ms / 1000 }} and {{ last_ms / 1000 }}
                    then ' looks like seconds'
                when
                    epoch_ms / 1000 between {{ first_ms }} and {{ last_ms }}
                    then ' looks like microseconds'
                when
                    epoch_ms / 1000000 between {{ first_ms }} and {{ last_ms }}
                    then ' looks like nanoseconds'
                when epoch_ms < {{ first_ms }} then ' is before 2000'
                else ' is after mid-2149'
            end as varchar(32)
        ) as reason

    from wrong_times

)

select
    column_name || reason as problem,
    count(*) as event_count,
    min(loaded_at) as loaded_since,
    min(logged_value) as example
from explained
group by column_name, reason
order by problem
