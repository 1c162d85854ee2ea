{#
    The largest integer that a double precision column may hold, by the type that staging
    casts it to (cast_as in the sources' YAML) and exact in a double precision; none if its
    numbers need not be whole.
    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
#}
{% macro max_integer(column) %}
    {% set largest = {"integer": 2147483647, "bigint": 9007199254740991} %}
    {{ return(largest.get(column.config.meta.get("cast_as"))) }}
{% endmacro %}
