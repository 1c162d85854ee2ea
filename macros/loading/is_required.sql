{# Whether the sources' YAML declares the column not_null. #}
{% macro is_required(column) %}
    {{ return("not_null" in column.constraints | map(attribute="type") | list) }}
{% endmacro %}
