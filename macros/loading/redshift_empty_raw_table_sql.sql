{#
    DELETE, for TRUNCATE would commit.
    https://docs.aws.amazon.com/redshift/latest/dg/r_TRUNCATE.html
#}
{% macro redshift_empty_raw_table_sql(source_table) -%}
delete from {{ raw_relation(source_table) }};

delete from {{ raw_relation("loaded_files") }}
where source_table = '{{ source_table }}';

delete from {{ raw_relation("loads") }}
where source_table = '{{ source_table }}'
{%- endmacro %}
