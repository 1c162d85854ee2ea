{#
    With COPY, so that the content of files never becomes part of a statement; without
    analysis, like the file list.
#}
{% macro redshift__keep_rejects_sql(batch) -%}
create temporary table rejects_of_{{ batch.source_table }} (
    file_name varchar(2048),
    line_number bigint,
    column_name varchar(256),
    value varchar(4096),
    reason varchar(1024)
)
diststyle even;

copy rejects_of_{{ batch.source_table }} (file_name, line_number, column_name, value, reason)
from {{ sql_literal(batch.rejects) }}
{{ redshift_copy_access() }}
format as json 'auto'
compupdate off
statupdate off;

insert into {{ raw_relation("rejected_rows") }} (
    load_id, source_table, file_name, line_number, column_name, value, reason, loaded_at
)
select
    loads.load_id,
    loads.source_table,
    rejects.file_name,
    rejects.line_number,
    rejects.column_name,
    rejects.value,
    rejects.reason,
    loads.loaded_at
from rejects_of_{{ batch.source_table }} as rejects
cross join {{ raw_relation("loads") }} as loads
where loads.load_id = (select load_id from this_load)
{%- endmacro %}
