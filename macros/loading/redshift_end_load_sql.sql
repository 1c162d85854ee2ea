{#
    Writes this_load into the ledger.

    last_loaded_at    when the source table's load before it was, as a text: later rows
                      are this load's
    file_list         query of the files loaded; none if the whole prefix was
#}
{% macro redshift_end_load_sql(source_table, last_loaded_at, file_list=none) -%}
insert into {{ raw_relation("loads") }} (
    load_id, source_table, file_count, row_count, byte_count, loaded_at
)
select
    this_load.load_id,
    '{{ source_table }}',
    {{ "files.file_count" if file_list else "null" }},
    loaded_rows.row_count,
    {{ "files.byte_count" if file_list else "null" }},
    coalesce(loaded_rows.loaded_at, getdate())
from this_load
cross join (
    select
        count(*) as row_count,
        max(loaded_at) as loaded_at
    from {{ raw_relation(source_table) }}
    where loaded_at > cast('{{ last_loaded_at }}' as timestamp)
) as loaded_rows
{%- if file_list %}
cross join (
    select
        count(*) as file_count,
        cast(sum(file_size) as bigint) as byte_count
    from ({{ file_list }}) as listed
) as files
{%- endif %}
{%- endmacro %}
