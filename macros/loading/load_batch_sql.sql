{#
    One string, since separate calls may get separate connections. It ends with a
    query for the id of the load and its numbers of rows.
#}
{% macro load_batch_sql(batch) -%}
    {{ return(adapter.dispatch("load_batch_sql")(batch)) }}
{%- endmacro %}

{#
    The brackets around characters that mean something in a pattern make DuckDB take
    the path as it is.
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
{% if batch.undo is not none %}
{{ undo_loads_sql(source_table, batch.undo, batch.is_new_type) }}
{% endif %}
{%- set is_sifted = batch.max_errors or batch.is_joined %}
{%- if is_sifted %}
{{ duckdb_sift_rows_sql(batch, columns) }};
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
    getvariable('loaded_at')
{%- if is_sifted %}
from sifted_rows
where rejection is null;
{%- else %}
from {{ duckdb_read_objects_sql(columns) }};
{%- endif %}

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

commit;

select
    load_id,
    cast(loaded_at as varchar(32)) as loaded_at,
    row_count,
    rejected_count
from {{ loads }}
where load_id = getvariable('load_id')
{%- endmacro %}

{# https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html #}
{% macro redshift__load_batch_sql(batch) -%}
{%- set source_table = batch.source_table -%}
{%- set files = read_file_list(source_table, batch.file_list) -%}
{%- set parameters = ["manifest"] + (["gzip"] if batch.is_gzip else []) -%}
{#- COPY fails at as many errors, not beyond them. -#}
{%- if batch.max_errors -%}
    {%- do parameters.append("maxerror " ~ (batch.max_errors + 1)) -%}
{%- endif -%}
begin;

{{ redshift_begin_load_sql(source_table, batch.last_load.load_id) }};

{{ receive_file_list(source_table, batch.file_list) }};
{% if batch.undo is not none %}
{{ undo_loads_sql(source_table, batch.undo, batch.is_new_type) }}
{% endif %}
{{ redshift_copy_sql(source_table, batch.manifest, parameters) }};

{{ redshift_end_load_sql(
    source_table,
    "1970-01-01" if batch.undo == "all" else batch.last_load.loaded_at,
    files,
    batch.max_errors
) }};

insert into {{ raw_relation("loaded_files") }} (
    source_table, file_name, file_size, fingerprint, load_id, loaded_at
)
select
    loads.source_table,
    files.file_name,
    files.file_size,
    files.fingerprint,
    loads.load_id,
    loads.loaded_at
from ({{ files }}) as files
cross join {{ raw_relation("loads") }} as loads
where loads.load_id = (select load_id from this_load);

commit;

select
    load_id,
    cast(loaded_at as varchar(32)) as loaded_at,
    row_count,
    rejected_count
from {{ raw_relation("loads") }}
where load_id = (select load_id from this_load)
{%- endmacro %}
