{#
    COPY would otherwise sample the list for encodings and gather statistics, of a table
    that is dropped in a moment. With a distribution style that Redshift is to choose it
    would sample even so.
    https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-load.html
#}
{% macro redshift__receive_file_list(source_table, path) -%}
create temporary table files_of_{{ source_table }} (
    file_number bigint,
    file_name varchar(2048),
    file_size bigint,
    fingerprint varchar(256)
)
diststyle even;

copy files_of_{{ source_table }} (file_number, file_name, file_size, fingerprint)
from {{ sql_literal(path) }}
{{ redshift_copy_access() }}
format as json 'auto'
compupdate off
statupdate off
{%- endmacro %}
