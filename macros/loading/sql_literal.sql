{# A text as a literal: what comes from outside is data, never SQL. #}
{% macro sql_literal(text) -%}
    {{ dbt.string_literal(dbt.escape_single_quotes(text)) }}
{%- endmacro %}
