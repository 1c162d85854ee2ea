{#
    The largest whole number that a column of type double precision may hold, none if
    others are welcome: what fits the type that the sources' YAML says staging casts it
    to, and is exact in a double precision.
    https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
#}
{% macro largest_whole(column) %}
    {% set largest = {"integer": 2147483647, "bigint": 9007199254740991} %}
    {{ return(largest.get(column.config.meta.get("cast_as"))) }}
{% endmacro %}
