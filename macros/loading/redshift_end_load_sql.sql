{#
    Writes this_load into the ledger. Which rows COPY rejected is told later, in system
    views: until then rejected_count is null and copy_id says where to look.
    https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_ID.html

    last_loaded_at    when the source table's load before it was, as a text: later rows
                      are this load's
    file_list         query of the files loaded; none if the whole prefix was
    max_errors        rows that COPY may have rejected
#}
{% macro redshift_end_load_sql(
    source_table, last_loaded_at, file_list=none, max_errors=0
) -%}
insert into {{ raw_relation("loads") }} (
    load_id,
    source_table,
    file_count,
    row_count,
    rejected_count,
    byte_count,
    copy_id,
    loaded_at
)
select
    this_load.load_id,
    '{{ source_table }}',
    {{ "files.file_count" if file_list else "null" }},
    loaded_rows.row_count,
    {{ "null" if max_errors else "0" }},
    {{ "files.byte_count" if file_list else "null" }},
    {{ "this_copy.copy_id" if max_errors else "null" }},
    coalesce(loaded_rows.loaded_at, getdate())
from this_load
cross join (
    select
        count(*) as row_count,
        max(loaded_at) as loaded_at
    from {{ raw_relation(source_table) }}
    where loaded_at > cast('{{ last_loaded_at }}' as timestamp)
) as loaded_rows
{%- if max_errors %}
cross join (select pg_last_copy_id() as copy_id) as this_copy
{%- endif %}
{%- if file_list %}
cross join (
    select
        count(*) as file_count,
        cast(sum(file_size) as bigint) as byte_count
    from ({{ file_list }}) as listed
) as files
{%- endif %}
{%- endmacro %}
