{#
    The column list leaves out loaded_at, which gets its default. Keys of the JSON match
    columns in any case.
    https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html
#}
{% macro redshift_copy_sql(source_table, path, parameters) -%}
copy {{ raw_relation(source_table) }} (
{%- for column in raw_source(source_table).columns.values()
    if column.name != "loaded_at" %}
    {{ column.name | lower }}{% if not loop.last %},{% endif %}
{%- endfor %}
)
from {{ sql_literal(path) }}
{{ redshift_copy_access() }}
format as json 'auto ignorecase'
{%- for parameter in parameters %}
{{ parameter }}
{%- endfor %}
{%- endmacro %}
