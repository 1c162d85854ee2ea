{% macro duckdb__create_raw_table_sql(relation, columns) -%}
create table if not exists {{ relation }} (
{%- for column in columns %}
    {{ column.name | lower }} {{ column.data_type }}
    {%- if is_required(column) %} not null{% endif %}
    {%- if not loop.last %},{% endif %}
{%- endfor %}
)
{%- endmacro %}
