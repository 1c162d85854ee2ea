{#
    Makes sifted_rows, the objects of the batch with, for those that do not fit their
    table, why; and keeps these in rejected_rows. Files that are no JSON throughout are
    read line by line, blank lines left out, as is their count.
#}
{% macro duckdb_sift_rows_sql(batch, columns) -%}
{%- set is_broken = "n - 1 in (" ~ batch.broken | join(", ") ~ ")" if batch.broken else "false" -%}
create or replace temporary table sifted_rows as
with

{% if not batch.is_all_broken -%}
objects as (

    select
        *,
        row_number() over () as row_number
    from {{ duckdb_read_objects_sql(
        columns, "list_filter(getvariable('paths'), lambda path, n: not " ~ is_broken ~ ")"
    ) }}

),

{% endif -%}
{% if batch.broken -%}
lines as (

    select
        json as line,
        filename,
        row_number() over () as row_number
    from read_ndjson_objects(
        list_filter(getvariable('paths'), lambda path, n: {{ is_broken }}),
        ignore_errors = true,
        maximum_object_size = 4194304,
        filename = true
    )

),

{% endif -%}
all_rows as (

{%- if not batch.is_all_broken %}

    select
        *,
        true as is_object
    from objects

{%- endif %}
{%- if batch.broken and not batch.is_all_broken %}

    union all

{%- endif %}
{%- if batch.broken %}

    select
        unnest(from_json(line, '{{ _text_structure(columns) }}')),
        filename as _file,
        row_number,
        coalesce(json_type(line) = 'OBJECT', false) as is_object
    from lines

{%- endif %}

)

select
    *,
    row_number - min(row_number) over (partition by _file) + 1 as line_number,
    coalesce(
        case when not is_object then {
            'column_name': cast(null as varchar),
            'value': cast(null as varchar),
            'reason': 'not a JSON object'
        } end
        {%- for column in columns %},
        {{ rejection(column) }}
        {%- endfor %}
    ) as rejection
from all_rows;

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
    files.file_name,
    sifted_rows.line_number - files.first_line + 1,
    sifted_rows.rejection.column_name,
    sifted_rows.rejection.value,
    sifted_rows.rejection.reason,
    getvariable('loaded_at')
from sifted_rows
asof inner join ({{ read_file_list(batch.source_table, batch.file_list) }}) as files
    on sifted_rows._file = files.path and sifted_rows.line_number >= files.first_line
where sifted_rows.rejection is not null;

select error(
    count(*) || ' rows are bad, and --max-errors allows {{ batch.max_errors }}. '
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

{% macro _text_structure(columns) -%}
{
    {%- for column in columns -%}
        "{{ column.name }}": "varchar"{% if not loop.last %}, {% endif %}
    {%- endfor -%}
}
{%- endmacro %}
