{# A text as a literal, so that it cannot become SQL. #}
{% macro sql_literal(text) -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(text)) }}
{%- endmacro %}
