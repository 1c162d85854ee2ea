{#
    A literal, not a subquery: with a literal both engines skip the blocks that hold
    nothing newer; with a subquery they read the whole table.
#}
{% macro watermark(column, relation=this, days_before=0) -%}
    {%- set newest = none -%}
    {%- if execute and load_relation(relation) -%}
        {%- set value = dbt.dateadd("day", -days_before, "max(" ~ column ~ ")") -%}
        {%- set newest = run_query(
            "select cast(" ~ value ~ " as varchar(32)) from " ~ relation
        ).rows[0][0] -%}
    {%- endif -%}
    cast('{{ newest or "1970-01-01" }}' as timestamp)
{%- endmacro %}
