{#
    Without encodings and statistics, which COPY would otherwise compute for a table that
    is soon dropped. With distribution style AUTO, the default, it would sample rows even
    with compupdate off.
    https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-load.html
#}
{% macro redshift__prepare_file_list(source_table, path) -%}
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
