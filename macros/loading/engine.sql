{# What differs between the engines: duckdb/ and redshift/ have the macros. #}

{# Has "if not exists", since another load may create the table at the same time. #}
{% macro create_raw_table_sql(relation, columns) -%}
    {{ return(adapter.dispatch("create_raw_table_sql")(relation, columns)) }}
{%- endmacro %}

{# What must run before read_file_list: on Redshift, COPY into a temporary table. #}
{% macro prepare_file_list(source_table, path) -%}
    {{ return(adapter.dispatch("prepare_file_list")(source_table, path)) }}
{%- endmacro %}

{# The rows of a file list that load_staging.py wrote. #}
{% macro read_file_list(source_table, path) -%}
    {{ return(adapter.dispatch("read_file_list")(source_table, path)) }}
{%- endmacro %}

{#
    One string, since separate calls may get separate connections. It ends with a
    query for the load's id, time and numbers of rows.
#}
{% macro load_batch_sql(batch) -%}
    {{ return(adapter.dispatch("load_batch_sql")(batch)) }}
{%- endmacro %}

{#
    Inserts the rejected rows that load_staging.py wrote to a file into rejected_rows, as
    part of the current load.

    batch    source_table, rejects: as for load_batch
#}
{% macro keep_rejects_sql(batch) -%}
    {{ return(adapter.dispatch("keep_rejects_sql")(batch)) }}
{%- endmacro %}

{#
    The name of a type in the engine's information schema, so that different spellings
    of a type compare as equal.
#}
{% macro engine_type(data_type) %}
    {{ return(adapter.dispatch("engine_type")(data_type | lower)) }}
{% endmacro %}
