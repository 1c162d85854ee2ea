{# Rows of a file list that load_staging.py wrote. #}
{% macro read_file_list(path) -%}
    {{ return(adapter.dispatch("read_file_list")(path)) }}
{%- endmacro %}

{# https://duckdb.org/docs/stable/data/json/loading_json #}
{% macro duckdb__read_file_list(path) -%}
    select *
    from read_json(
        {{ dbt.string_literal(dbt.escape_single_quotes(path)) }},
        format = 'newline_delimited',
        columns = {
            'position': 'bigint',
            'file_name': 'varchar',
            'file_size': 'bigint',
            'fingerprint': 'varchar',
            'path': 'varchar'
        }
    )
{%- endmacro %}
