{# https://duckdb.org/docs/stable/data/json/loading_json #}
{% macro duckdb__keep_rejects_sql(batch) -%}
insert into {{ raw_relation("rejected_rows") }} (
    load_id, source_table, file_name, line_number, column_name, value, reason, loaded_at
)
select
    getvariable('load_id'),
    '{{ batch.source_table }}',
    file_name,
    line_number,
    column_name,
    value,
    reason,
    getvariable('loaded_at')
from read_json(
    {{ sql_literal(batch.rejects) }},
    format = 'newline_delimited',
    columns = {
        'file_name': 'varchar',
        'line_number': 'bigint',
        'column_name': 'varchar',
        'value': 'varchar',
        'reason': 'varchar'
    }
)
{%- endmacro %}
