{# Literals, for the reason given in watermark. Nothing is between null and null. #}
{% macro bounds(column, relation, condition, last_column=column) -%}
    {%- if execute and load_relation(relation) -%}
        {{ _bounds(column, relation, condition, last_column) }}
    {%- else -%}
        null and null
    {%- endif -%}
{%- endmacro %}

{% macro _bounds(column, relation, condition="1 = 1", last_column=column) -%}
    {%- set row = run_query(
        "select cast(min(" ~ column ~ ") as varchar(32)),"
        ~ " cast(max(" ~ last_column ~ ") as varchar(32))"
        ~ " from " ~ relation ~ " where " ~ condition
    ).rows[0] -%}
    {%- if row[0] is none -%}
        null and null
    {%- else -%}
        '{{ row[0] }}' and '{{ row[1] }}'
    {%- endif -%}
{%- endmacro %}
