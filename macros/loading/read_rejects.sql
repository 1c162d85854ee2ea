{#
    What is to go into rejected_rows, from a file that load_staging.py wrote: on Redshift
    once receive_rejects has been run.
#}
{% macro read_rejects(batch) -%}
    {{ return(adapter.dispatch("read_rejects")(batch)) }}
{%- endmacro %}

{# https://duckdb.org/docs/stable/data/json/loading_json #}
{% macro duckdb__read_rejects(batch) -%}
    select *
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

{% macro redshift__read_rejects(batch) -%}
    select * from rejects_of_{{ batch.source_table }}
{%- endmacro %}
