{# What each engine does in its own way: duckdb/ and redshift/ have the macros. #}

{# Without "if not exists" it would fail if another load created it meanwhile. #}
{% macro create_raw_table_sql(relation, columns) -%}
    {{ return(adapter.dispatch("create_raw_table_sql")(relation, columns)) }}
{%- endmacro %}

{# What must be run before read_file_list: on Redshift, COPY into a temporary table. #}
{% macro receive_file_list(source_table, path) -%}
    {{ return(adapter.dispatch("receive_file_list")(source_table, path)) }}
{%- endmacro %}

{# Rows of a file list that load_staging.py wrote. #}
{% macro read_file_list(source_table, path) -%}
    {{ return(adapter.dispatch("read_file_list")(source_table, path)) }}
{%- endmacro %}

{#
    One string, since separate calls may get separate connections. It ends with a
    query for the id of the load and its numbers of rows.
#}
{% macro load_batch_sql(batch) -%}
    {{ return(adapter.dispatch("load_batch_sql")(batch)) }}
{%- endmacro %}

{#
    Puts the rows of a file that load_staging.py wrote into rejected_rows, as those of the
    load under way.

    batch    source_table, rejects: as for load_batch
#}
{% macro keep_rejects_sql(batch) -%}
    {{ return(adapter.dispatch("keep_rejects_sql")(batch)) }}
{%- endmacro %}

{#
    A type under the one name that the engine's information schema writes it by; two
    spellings of a type are equal under it.
#}
{% macro engine_type(data_type) %}
    {{ return(adapter.dispatch("engine_type")(data_type | lower)) }}
{% endmacro %}
