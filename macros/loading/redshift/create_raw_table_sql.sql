{#
    Sorted by loaded_at, since each build reads what was loaded since the last one. Its
    default is the time when COPY starts, not when the transaction does, which may wait.
    https://docs.aws.amazon.com/redshift/latest/dg/c_loading_default_values.html
#}
{% macro redshift__create_raw_table_sql(relation, columns) -%}
create table if not exists {{ relation }} (
{%- for column in columns %}
    {{ column.name | lower }} {{ column.data_type }}
    {%- if column.name == "loaded_at" %} default getdate(){% endif %}
    {%- if is_required(column) %} not null{% endif %}
    {%- if not loop.last %},{% endif %}
{%- endfor %}
)
diststyle even
sortkey (loaded_at)
{%- endmacro %}
