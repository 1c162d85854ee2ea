{#
    The hours that plays tell of, known before the query that lists them is written:
    {first_hour, last_hour}, of the first play and the last, and what is to be listed of
    these days, {first_day, day_count}: but for those between the first hour and the last
    that are known. None has a play before the first load.

    known    a relation that has start_hour without gaps; none if nothing is known
#}
{% macro play_hours(known=none) %}
    {% set hours = {
        "first_hour": "2200-01-01", "last_hour": "2200-01-01",
        "first_day": "1970-01-01", "day_count": 1
    } %}
    {% if execute and load_relation(ref("int_events")) %}
        {% set sql %}
            with

            plays as (

                select
                    date_trunc('hour', min(event_at)) as first_hour,
                    date_trunc('hour', max(event_at)) as last_hour

                from {{ ref("int_events") }}

                where is_play

            ),

            known as (

                select
                    {{ "min(start_hour)" if known else "cast(null as timestamp)" }}
                        as first_hour,
                    {{ "max(start_hour)" if known else "cast(null as timestamp)" }}
                        as last_hour
                {% if known %}
                from {{ known }}
                {% endif %}

            ),

            missing as (

                select
                    plays.first_hour,
                    plays.last_hour,
                    case
                        when plays.first_hour >= known.first_hour
                            then known.last_hour
                        else plays.first_hour
                    end as first_missing

                from plays

                cross join known

            )

            select
                cast(first_hour as varchar(32)) as first_hour,
                cast(last_hour as varchar(32)) as last_hour,
                cast(cast(first_missing as date) as varchar(10)) as first_day,
                {{ dbt.datediff("first_missing", "last_hour", "day") }} + 1 as day_count
            from missing
        {% endset %}
        {% set row = run_query(sql).rows[0] %}
        {% if row["first_hour"] is not none %}
            {% do hours.update({
                "first_hour": row["first_hour"],
                "last_hour": row["last_hour"],
                "first_day": row["first_day"],
                "day_count": [row["day_count"] | int, 1] | max
            }) %}
        {% endif %}
    {% endif %}
    {{ return(hours) }}
{% endmacro %}
