{#
    DuckDB takes paths as glob patterns, so special characters are put in brackets.
#}
{% macro duckdb__load_batch_sql(batch) -%}
{%- set source_table = batch.source_table -%}
{%- set raw_table = raw_relation(source_table) -%}
{%- set loads = raw_relation("loads") -%}
{%- set files = read_file_list(source_table, batch.file_list) -%}
{%- set columns = raw_source(source_table).columns.values()
    | rejectattr("name", "equalto", "loaded_at") | list -%}
begin transaction;

select error('another load of {{ source_table }} came in between')
from {{ loads }}
where source_table = '{{ source_table }}' and load_id > {{ batch.last_load.load_id }}
limit 1;

set variable load_id = (
    select coalesce(max(load_id), 0) + 1 from {{ loads }}
);

-- Later than every earlier load, even if the clock was set back.
set variable loaded_at = (
    select greatest(
        cast(now() at time zone 'UTC' as timestamp),
        max(loaded_at) + interval 1 microsecond
    )
    from {{ loads }}
);

set variable paths = (
    select list(
        regexp_replace(path, '([*?\[\]])', '[\1]', 'g') order by file_number
    )
    from (
        select
            path,
            min(file_number) as file_number
        from ({{ files }})
        group by path
    )
);
{% if batch.replaces is not none %}
{{ replace_loads_sql(source_table, batch.replaces, batch.has_new_types) }}
{% endif %}

insert into {{ raw_table }} (
{%- for column in columns %}
    {{ column.name | lower }},
{%- endfor %}
    loaded_at
)
select
{%- for column in columns %}
    {{ checked_value(column) }},
{%- endfor %}
    case
        when coalesce(
            {%- for column in columns %}
            {{ adapter.quote(column.name) }}{% if not loop.last %},{% endif %}
            {%- endfor %}
        ) is not null then getvariable('loaded_at')
        else error('no key of an object fills a column, in file "' || _file || '"')
    end
from {{ duckdb_read_objects_sql(columns, batch.ignore_case) }};

insert into {{ raw_relation("loaded_files") }} (
    source_table, file_name, file_size, fingerprint, load_id, loaded_at
)
select
    '{{ source_table }}',
    file_name,
    file_size,
    fingerprint,
    getvariable('load_id'),
    getvariable('loaded_at')
from ({{ files }});
{% if batch.reject_count %}
{{ keep_rejects_sql(batch) }};
{% endif %}
insert into {{ loads }} (
    load_id, source_table, file_count, row_count, rejected_count, byte_count, loaded_at
)
select
    getvariable('load_id'),
    '{{ source_table }}',
    count(*),
    (
        select count(*) from {{ raw_table }}
        where loaded_at = getvariable('loaded_at')
    ),
    (
        select count(*) from {{ raw_relation("rejected_rows") }}
        where load_id = getvariable('load_id')
    ),
    sum(file_size),
    getvariable('loaded_at')
from ({{ files }});

select error(
    '{{ batch.object_count }} objects were counted{{ "" if batch.is_counted else " at least" }},'
    || ' but ' || row_count || ' rows loaded and ' || rejected_count || ' rejected'
)
from {{ loads }}
where
    load_id = getvariable('load_id')
    and row_count + rejected_count {{ "<>" if batch.is_counted else "<" }} {{ batch.object_count }};

commit;

select
    load_id,
    cast(loaded_at as varchar(32)) as loaded_at,
    row_count,
    rejected_count
from {{ loads }}
where load_id = getvariable('load_id')
{%- endmacro %}
