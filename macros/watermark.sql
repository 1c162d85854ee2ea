{#
    A literal, not a subquery: with a literal both engines skip the blocks that
    hold nothing newer, a subquery reads the whole table.
#}
{% macro watermark(column) -%}
    {%- set newest = none -%}
    {%- if execute -%}
        {%- set newest = run_query(
            "select cast(max(" ~ column ~ ") as varchar(32)) from " ~ this
        ).rows[0][0] -%}
    {%- endif -%}
    cast('{{ newest or "1970-01-01" }}' as timestamp)
{%- endmacro %}
