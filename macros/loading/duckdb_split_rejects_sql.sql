{#
    Makes checked_rows, the objects of a joined batch, one a line, with for those that do
    not fit their table why; and keeps these in rejected_rows, with what the loader read
    that is no object.
#}
{% macro duckdb_split_rejects_sql(batch, columns) -%}
create or replace temporary table checked_rows as
with

objects as (

    select
        *,
        row_number() over () as row_number
    from {{ duckdb_read_objects_sql(columns, batch.is_folded) }}

)

select
    *,
    row_number - min(row_number) over (partition by _file) + 1 as line_number,
    coalesce(
        {%- for column in columns %}
        {{ rejection(column) }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    ) as rejection
from objects;

insert into {{ raw_relation("rejected_rows") }} (
    load_id,
    source_table,
    file_name,
    line_number,
    column_name,
    value,
    reason,
    loaded_at
)
select
    getvariable('load_id'),
    '{{ batch.source_table }}',
    places.file_name,
    checked_rows.line_number - places.first_line + places.first_number,
    checked_rows.rejection.column_name,
    checked_rows.rejection.value,
    checked_rows.rejection.reason,
    getvariable('loaded_at')
from checked_rows
asof inner join read_json(
    {{ sql_literal(batch.places) }},
    format = 'newline_delimited',
    columns = {
        'path': 'varchar',
        'first_line': 'bigint',
        'file_name': 'varchar',
        'first_number': 'bigint'
    }
) as places
    on checked_rows._file = places.path and checked_rows.line_number >= places.first_line
where checked_rows.rejection is not null
{%- if batch.reject_count %}

union all

select
    getvariable('load_id'),
    '{{ batch.source_table }}',
    file_name,
    line_number,
    column_name,
    value,
    reason,
    getvariable('loaded_at')
from ({{ read_rejects(batch) }})
{%- endif %};

select error(
    'There are ' || count(*) || ' bad rows, and --max-errors allows {{ batch.max_errors }}. '
    || array_to_string(
        list(
            'In ' || file_name || ', line ' || line_number
            || coalesce(', column ' || column_name || ', value "' || value || '"', '')
            || ': ' || reason || '.'
            order by file_name, line_number
        )[:10],
        ' '
    )
)
from {{ raw_relation("rejected_rows") }}
where load_id = getvariable('load_id')
having count(*) > {{ batch.max_errors }}
{%- endmacro %}
