{#
    The objects of the batch, each column as text. Objects of up to 4 MB are read, the
    limit of COPY on Redshift, and larger ones if the buffers allow. DuckDB's keys are
    case-sensitive, COPY's are not. With ignore_case keys are compared in lower case,
    which takes twice as long.
    https://duckdb.org/docs/stable/data/json/loading_json
#}
{% macro duckdb_read_objects_sql(columns, ignore_case) -%}
{% if not ignore_case -%}
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
        key_values[list_position(lower_keys, '{{ column.name | lower }}')]
            as {{ adapter.quote(column.name) }},
        {%- endfor %}
        _file
    from (
        select
            list_transform(filled, lambda entry: lower(entry.key)) as lower_keys,
            list_transform(filled, lambda entry: entry.value) as key_values,
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
