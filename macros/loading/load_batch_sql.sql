{#
    One string, since separate calls may get separate connections. It ends with a
    query for the id of the load and its number of rows.
#}
{% macro load_batch_sql(
    source_table, file_list, last_load, replace, manifest, is_gzip
) -%}
    {{ return(adapter.dispatch("load_batch_sql")(
        source_table, file_list, last_load, replace, manifest, is_gzip
    )) }}
{%- endmacro %}

{#
    The brackets around characters that mean something in a pattern make DuckDB take
    the path as it is. Objects are limited to the 4 MB that COPY takes on Redshift.
    https://duckdb.org/docs/stable/data/json/loading_json
#}
{% macro duckdb__load_batch_sql(
    source_table, file_list, last_load, replace, manifest, is_gzip
) -%}
{%- set raw_table = raw_relation(source_table) -%}
{%- set loads = raw_relation("loads") -%}
{%- set loaded_files = raw_relation("loaded_files") -%}
{%- set columns = raw_source(source_table).columns.values()
    | rejectattr("name", "equalto", "loaded_at") | list -%}
begin transaction;

select error('another load of {{ source_table }} came in between')
from {{ loads }}
where source_table = '{{ source_table }}' and load_id > {{ last_load.load_id }}
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
    from ({{ read_file_list(source_table, file_list) }})
);
{% if replace %}
delete from {{ raw_table }};

delete from {{ loaded_files }} where source_table = '{{ source_table }}';

delete from {{ loads }} where source_table = '{{ source_table }}';
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
from read_json(
    getvariable('paths'),
    format = 'unstructured',
    maximum_object_size = 4194304,
    filename = '_file',
    columns = {
    {%- for column in columns %}
        '{{ column.name }}': 'varchar'
        {%- if not loop.last %},{% endif %}
    {%- endfor %}
    }
);

insert into {{ loaded_files }} (
    source_table, file_name, file_size, fingerprint, load_id, loaded_at
)
select
    '{{ source_table }}',
    file_name,
    file_size,
    fingerprint,
    getvariable('load_id'),
    getvariable('loaded_at')
from ({{ read_file_list(source_table, file_list) }});

insert into {{ loads }} (
    load_id, source_table, file_count, row_count, byte_count, loaded_at
)
select
    getvariable('load_id'),
    '{{ source_table }}',
    count(*),
    (
        select count(*) from {{ raw_table }}
        where loaded_at = getvariable('loaded_at')
    ),
    sum(file_size),
    getvariable('loaded_at')
from ({{ read_file_list(source_table, file_list) }});

commit;

select
    load_id,
    cast(loaded_at as varchar(32)) as loaded_at,
    row_count
from {{ loads }}
where load_id = getvariable('load_id')
{%- endmacro %}

{# https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html #}
{% macro redshift__load_batch_sql(
    source_table, file_list, last_load, replace, manifest, is_gzip
) -%}
{%- set loaded_files = raw_relation("loaded_files") -%}
begin;

{{ redshift_begin_load_sql(source_table, last_load.load_id) }};

{{ receive_file_list(source_table, file_list) }};
{% if replace %}
{{ redshift_empty_raw_table_sql(source_table) }};
{% endif %}
{{ redshift_copy_sql(source_table, manifest, ["manifest"] + (["gzip"] if is_gzip else [])) }};

{{ redshift_end_load_sql(
    source_table,
    "1970-01-01" if replace else last_load.loaded_at,
    read_file_list(source_table, file_list)
) }};

insert into {{ loaded_files }} (
    source_table, file_name, file_size, fingerprint, load_id, loaded_at
)
select
    loads.source_table,
    files.file_name,
    files.file_size,
    files.fingerprint,
    loads.load_id,
    loads.loaded_at
from ({{ read_file_list(source_table, file_list) }}) as files
cross join {{ raw_relation("loads") }} as loads
where loads.load_id = (select load_id from this_load);

commit;

select
    load_id,
    cast(loaded_at as varchar(32)) as loaded_at,
    row_count
from {{ raw_relation("loads") }}
where load_id = (select load_id from this_load)
{%- endmacro %}
