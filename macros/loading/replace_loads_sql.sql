{#
    Deletes what a batch replaces from the raw table and the ledger. Not with TRUNCATE,
    which commits on Redshift.
    https://docs.aws.amazon.com/redshift/latest/dg/r_TRUNCATE.html
#}
{% macro replace_loads_sql(source_table, replaces, has_new_types=false) -%}
{%- set raw_table = raw_relation(source_table) -%}
{%- set one_load = "" if replaces == "all" else " and load_id = " ~ replaces -%}
{%- if replaces != "all" -%}
delete from {{ raw_table }}
where loaded_at = (
    select loaded_at from {{ raw_relation("loads") }} where load_id = {{ replaces }}
);
{%- elif has_new_types -%}
drop table {{ raw_table }};

{{ create_raw_table_sql(raw_table, raw_source(source_table).columns.values()) }};
{%- else -%}
delete from {{ raw_table }};
{%- endif %}
{% for ledger_table in ["loaded_files", "rejected_rows", "loads"] %}
delete from {{ raw_relation(ledger_table) }}
where source_table = '{{ source_table }}'{{ one_load }};
{% endfor %}
{%- endmacro %}
