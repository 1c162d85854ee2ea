{#
    Raises an error if a raw table's column has another type than in the sources' YAML.
    Tables that are to be replaced may differ; the names of those that do are returned.

    present    table -> column -> type, as returned by raw_tables_present
    replaced   source tables that are to be replaced
#}
{% macro check_raw_tables(present, replaced) %}
    {% set new_types = [] %}
    {% for name, types in present.items() %}
        {% for column in raw_source(name).columns.values() %}
            {% set column_name = column.name | lower %}
            {% set type = types.get(column_name) %}
            {% if type is none or engine_type(type) == engine_type(column.data_type) %}
            {% elif name in replaced %}
                {% do new_types.append(name) %}
            {% else %}
                {% set remedy = (
                    ", or recreate the table: python load_staging.py --full-refresh --select "
                    ~ name ~ ", then dbt build --full-refresh"
                ) if raw_source(name).external else "" %}
                {% do exceptions.raise_compiler_error(
                    "Column " ~ column_name ~ " of " ~ raw_relation(name) ~ " is " ~ type
                    ~ ", but the sources' YAML now says " ~ column.data_type
                    ~ ". Put the YAML back" ~ remedy ~ "."
                ) %}
            {% endif %}
        {% endfor %}
    {% endfor %}
    {{ return(new_types) }}
{% endmacro %}
