{#
    Each build looks for what was loaded since the one before it, so loaded_at sorts. It
    is taken when COPY starts, not when the transaction does, which may have waited.
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
