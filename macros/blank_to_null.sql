{% macro blank_to_null(column) -%}
    case when trim(both ' ' from {{ column }}) <> '' then {{ column }} end
{%- endmacro %}
