{#
    The hours of the first and the last play, first_hour and last_hour, and the days to
    list, first_day and day_count: those of the plays without those between the first and
    the last known hour. They become literals in the query. Without plays, the hours are
    in 2200.

    known    a relation that has start_hour without gaps; none if no hours are known
#}
{% macro play_hours(known=none) %}
    {% set hours = {
        "first_hour": "2200-01-01", "last_hour": "2200-01-01",
        "first_day": "1970-01-01", "day_count": 1
    } %}
    {% if execute and load_relation(ref("int_events")) %}
        {% set known_hours = _hours_of(known, "start_hour") if known else [none, none] %}
        {% set found = [none, none] %}
        {% if known_hours[0] is not none %}
            {# Usually the first and the last known hour still have plays, so what is between
               need not be read. #}
            {% set found = _edges(*known_hours) %}
        {% endif %}
        {% if none in found %}
            {% set found = _hours_of(ref("int_events"), "event_at", "is_play") %}
        {% endif %}
        {% if none not in found %}
            {% set first_missing = found[0] %}
            {% if known_hours[0] is not none and found[0] >= known_hours[0] %}
                {% set first_missing = known_hours[1] %}
            {% endif %}
            {% set parse = modules.datetime.datetime.fromisoformat %}
            {% set days = (parse(found[1][:10]) - parse(first_missing[:10])).days + 1 %}
            {% do hours.update({
                "first_hour": found[0],
                "last_hour": found[1],
                "first_day": first_missing[:10],
                "day_count": [days, 1] | max
            }) %}
        {% endif %}
    {% endif %}
    {{ return(hours) }}
{% endmacro %}

{# The first and the last hour of a column, as texts; none if there are no rows. #}
{% macro _hours_of(relation, column, condition="1 = 1") %}
    {% set row = run_query(
        "select cast(date_trunc('hour', min(" ~ column ~ ")) as varchar(32)),"
        ~ " cast(date_trunc('hour', max(" ~ column ~ ")) as varchar(32))"
        ~ " from " ~ relation ~ " where " ~ condition
    ).rows[0] %}
    {{ return([row[0], row[1]]) }}
{% endmacro %}

{#
    The hours of the first and the last play, each none if it lies between the known hours:
    both engines skip the blocks in between.
#}
{% macro _edges(first_hour, last_hour) %}
    {% set after_first = dbt.dateadd("hour", 1, "cast('" ~ first_hour ~ "' as timestamp)") %}
    {% set first_of = _hours_of(
        ref("int_events"), "event_at", "is_play and event_at < " ~ after_first
    ) %}
    {% set last_of = _hours_of(
        ref("int_events"), "event_at", "is_play and event_at >= '" ~ last_hour ~ "'"
    ) %}
    {{ return([first_of[0], last_of[1]]) }}
{% endmacro %}
