{% macro comparable_name(column) -%}
    lower(trim(both ' ' from {{ column }}))
{%- endmacro %}
