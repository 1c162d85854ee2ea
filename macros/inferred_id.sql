{% macro inferred_id(prefix, key) -%}
    '{{ prefix }}' || upper(substring({{ key }}, 1, 16))
{%- endmacro %}
