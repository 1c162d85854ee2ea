{# What must be run before read_file_list: on Redshift, COPY into a temporary table. #}
{% macro receive_file_list(source_table, path) -%}
    {{ return(adapter.dispatch("receive_file_list")(source_table, path)) }}
{%- endmacro %}

{% macro duckdb__receive_file_list(source_table, path) -%}
{%- endmacro %}

{% macro redshift__receive_file_list(source_table, path) -%}
create temporary table files_of_{{ source_table }} (
    file_number bigint,
    file_name varchar(2048),
    file_size bigint,
    fingerprint varchar(256)
);

copy files_of_{{ source_table }} (file_number, file_name, file_size, fingerprint)
from {{ sql_literal(path) }}
{{ redshift_copy_access() }}
format as json 'auto'
{%- endmacro %}
