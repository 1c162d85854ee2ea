{% macro duckdb__receive_file_list(source_table, path) -%}
{%- endmacro %}
