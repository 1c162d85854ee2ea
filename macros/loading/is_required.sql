{# Whether the sources' YAML declares a column not_null. #}
{% macro is_required(column) %}
    {{ return("not_null" in column.constraints | map(attribute="type") | list) }}
{% endmacro %}
