{% macro redshift__read_file_list(source_table, path) -%}
    select * from files_of_{{ source_table }}
{%- endmacro %}
