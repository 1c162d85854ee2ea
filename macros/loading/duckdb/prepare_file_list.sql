{% macro duckdb__prepare_file_list(source_table, path) -%}
{%- endmacro %}
