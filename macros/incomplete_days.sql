{#
    A query for the days that seem to lack events, with the figures. The first and the
    last day are not judged: they may be incomplete. A day is compared with the days up
    to four weeks before and after it:

    - fewer than half as many sessions began, even with three more, as on any of the same
      weekdays, of which at least two have sessions;
    - fewer files of events have the day in their name than usual: nine in ten of at least
      seven days have the same number.

    Sessions, since their number changes less from week to week than that of events. The
    days of dim_time have no gaps.

    since    a time as an SQL literal: reads what is later only
    days     judges only the last days, as many; all by default
#}
{% macro incomplete_days(since="cast('1970-01-01' as timestamp)", days=none) %}
with

all_days as (

    select distinct cast(start_hour as date) as day
    from {{ ref('dim_time') }}
    where start_hour > {{ since }}

),

edges as (

    select
        min(day) as first_day,
        max(day) as last_day
    from all_days

),

sessions as (

    select
        cast(start_time as date) as day,
        count(*) as session_count
    from {{ ref('fct_sessions') }}
    where start_time > {{ since }}
    group by cast(start_time as date)

),

-- No file is loaded before its day.
dated_files as (

    select {{ file_day('file_name') }} as file_day
    from {{ source('ledger', 'loaded_files') }}
    where source_table = 'staging_events' and loaded_at > {{ since }}

),

files as (

    select
        file_day,
        count(*) as file_count
    from dated_files
    group by file_day

),

counted as (

    select
        all_days.day,
        edges.last_day,
        coalesce(sessions.session_count, 0) as session_count,
        coalesce(files.file_count, 0) as file_count,
        max(coalesce(files.file_count, 0)) over (
            order by all_days.day
            rows between 28 preceding and 28 following
        ) as most_files
    from all_days
    cross join edges
    left join sessions on all_days.day = sessions.day
    left join files
        on replace(cast(all_days.day as varchar(10)), '-', '') = files.file_day
    where all_days.day > edges.first_day and all_days.day < edges.last_day

),

compared as (

    select
        judged.day,
        judged.session_count,
        judged.file_count,
        judged.most_files,
        min(
            case
                when
                    (others.day - judged.day) % 7 = 0
                    and others.session_count > 0
                    then others.session_count
            end
        ) as fewest_sessions,
        sum(
            case
                when
                    (others.day - judged.day) % 7 = 0
                    and others.session_count > 0
                    then 1
                else 0
            end
        ) as weekday_count,
        sum(case when others.file_count = judged.most_files then 1 else 0 end)
            as usual_count,
        count(*) as day_count
    from counted as judged
    inner join counted as others
        on
            judged.day <> others.day
            and others.day between judged.day - 28 and judged.day + 28
    {% if days %}
    where judged.day >= judged.last_day - {{ days }}
    {% endif %}
    group by
        judged.day, judged.session_count, judged.file_count, judged.most_files

)

select
    day,
    session_count,
    fewest_sessions as fewest_on_the_same_weekday,
    file_count,
    most_files as usual_file_count
from compared
where
    (
        (
            weekday_count >= 2
            and 2 * (session_count + 3) < fewest_sessions
        )
        or (
            day_count >= 7
            and usual_count >= 0.9 * day_count
            and file_count < most_files
        )
    )
    {% for day in var('quiet_days') %}
    and day <> '{{ day }}'
    {% endfor %}
order by day
{% endmacro %}
