{#
    Which days' hours dim_time lacks, counted before the query is written, so that it lists
    these and no more: {first_day, day_count}. All from the first play to the last, but for
    those between the first and the last that the relation to add to has; none for the
    first listing.

    relation    has first_start_hour and last_start_hour
    known       has start_hour without gaps; none if nothing is known
#}
{% macro days_to_list(relation, known=none) %}
    {% set days = {"first_day": "1970-01-01", "day_count": 1} %}
    {% if execute and load_relation(relation) %}
        {% set sql %}
            with

            heard as (

                select
                    min(first_start_hour) as first_hour,
                    max(last_start_hour) as last_hour

                from {{ relation }}

            ),

            known as (

                {% if known %}
                select
                    min(start_hour) as first_hour,
                    max(start_hour) as last_hour

                from {{ known }}
                {% else %}
                select
                    cast(null as timestamp) as first_hour,
                    cast(null as timestamp) as last_hour
                {% endif %}

            ),

            missing as (

                select
                    case
                        when heard.first_hour >= known.first_hour then known.last_hour
                        else heard.first_hour
                    end as first_hour,
                    heard.last_hour

                from heard

                cross join known

            )

            select
                cast(cast(first_hour as date) as varchar(10)) as first_day,
                {{ dbt.datediff("first_hour", "last_hour", "day") }} + 1 as day_count
            from missing
        {% endset %}
        {% set row = run_query(sql).rows[0] %}
        {% if row["first_day"] is not none %}
            {% do days.update({
                "first_day": row["first_day"],
                "day_count": [row["day_count"] | int, 1] | max
            }) %}
        {% endif %}
    {% endif %}
    {{ return(days) }}
{% endmacro %}
