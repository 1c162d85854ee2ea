{# A text without the one pair of double quotes around it, if it has one. #}
{% macro unquote(column) -%}
    {{ adapter.dispatch("unquote")(column) }}
{%- endmacro %}

{# One function of one column, which DuckDB computes once per distinct value, unlike CASE. #}
{% macro duckdb__unquote(column) -%}
    regexp_replace({{ column }}, '^"(.*)"$', '\1', 's')
{%- endmacro %}

{% macro redshift__unquote(column) -%}
    case
        when {{ column }} like '"%"'
            then substring({{ column }}, 2, length({{ column }}) - 2)
        else {{ column }}
    end
{%- endmacro %}
