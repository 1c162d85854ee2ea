{# A literal, for the reason given in watermark. Comparisons with null find nothing. #}
{% macro smallest(column, relation, condition) -%}
    {%- set value = none -%}
    {%- if execute and load_relation(relation) -%}
        {%- set value = run_query(
            "select cast(min(" ~ column ~ ") as varchar(32))"
            ~ " from " ~ relation ~ " where " ~ condition
        ).rows[0][0] -%}
    {%- endif -%}
    {{ "null" if value is none else "'" ~ value ~ "'" }}
{%- endmacro %}
