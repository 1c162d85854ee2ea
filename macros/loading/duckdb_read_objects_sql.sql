{#
    The objects of files, the batch's if not told otherwise, each column as text. They may
    be as large as COPY takes them on Redshift, 4 MB, and larger while buffers allow.
    https://duckdb.org/docs/stable/data/json/loading_json
#}
{% macro duckdb_read_objects_sql(columns, paths="getvariable('paths')") -%}
read_json(
    {{ paths }},
    format = 'unstructured',
    maximum_object_size = 4194304,
    filename = '_file',
    columns = {{ _text_columns(columns) }}
)
{%- endmacro %}

{% macro _text_columns(columns) -%}
{
    {%- for column in columns %}
        '{{ column.name }}': 'varchar'
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
    }
{%- endmacro %}
