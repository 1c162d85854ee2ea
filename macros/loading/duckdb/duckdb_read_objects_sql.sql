{#
    The objects of the batch, each column as text. They may be as large as COPY takes them
    on Redshift, 4 MB, and larger while buffers allow. DuckDB takes a key for a column's
    only if it is spelled like it; where one is not, keys are compared in lower case, as
    COPY has it, which takes twice as long.
    https://duckdb.org/docs/stable/data/json/loading_json
#}
{% macro duckdb_read_objects_sql(columns, is_folded) -%}
{% if not is_folded -%}
read_json(
    getvariable('paths'),
    format = 'unstructured',
    maximum_object_size = 4194304,
    filename = '_file',
    columns = {{ _text_columns(columns) }}
)
{%- else -%}
(
    select
        {%- for column in columns %}
        folded_values[list_position(folded_keys, '{{ column.name | lower }}')]
            as {{ adapter.quote(column.name) }},
        {%- endfor %}
        _file
    from (
        select
            list_transform(filled, lambda entry: lower(entry.key)) as folded_keys,
            list_transform(filled, lambda entry: entry.value) as folded_values,
            _file
        from (
            select
                list_filter(map_entries(object), lambda entry: entry.value is not null)
                    as filled,
                _file
            from read_json(
                getvariable('paths'),
                format = 'unstructured',
                records = 'false',
                maximum_object_size = 4194304,
                filename = '_file',
                columns = {'object': 'map(varchar, varchar)'}
            )
        )
    )
)
{%- endif %}
{%- endmacro %}

{% macro _text_columns(columns) -%}
{
    {%- for column in columns %}
        '{{ column.name }}': 'varchar'
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
    }
{%- endmacro %}
