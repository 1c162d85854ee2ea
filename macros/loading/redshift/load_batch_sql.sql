{# https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html #}
{% macro redshift__load_batch_sql(batch) -%}
{%- set source_table = batch.source_table -%}
{%- set loads = raw_relation("loads") -%}
{%- set parameters = ["manifest"] + ([batch.compression] if batch.compression else []) -%}
begin;

{{ redshift_begin_load_sql(source_table, batch.last_load.load_id) }};

{{ prepare_file_list(source_table, batch.file_list) }};
{% if batch.replaces is not none %}
{{ replace_loads_sql(source_table, batch.replaces, batch.has_new_types) }}
{% endif %}
{{ redshift_copy_sql(source_table, batch.manifest, parameters) }};

{{ redshift_end_load_sql(
    source_table,
    "1970-01-01" if batch.replaces == "all" else batch.last_load.loaded_at,
    batch
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
from ({{ read_file_list(source_table, batch.file_list) }}) as files
cross join {{ loads }} as loads
where loads.load_id = (select load_id from this_load);
{% if batch.reject_count %}
{{ keep_rejects_sql(batch) }};
{% endif %}
commit;

select
    load_id,
    cast(loaded_at as varchar(32)) as loaded_at,
    row_count,
    rejected_count
from {{ loads }}
where load_id = (select load_id from this_load)
{%- endmacro %}
