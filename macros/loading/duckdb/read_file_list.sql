{# https://duckdb.org/docs/stable/data/json/loading_json #}
{% macro duckdb__read_file_list(source_table, path) -%}
    select *
    from read_json(
        {{ sql_literal(path) }},
        format = 'newline_delimited',
        columns = {
            'file_number': 'bigint',
            'file_name': 'varchar',
            'file_size': 'bigint',
            'fingerprint': 'varchar',
            'path': 'varchar'
        }
    )
{%- endmacro %}
