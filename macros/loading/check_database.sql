{#
    Stops if DuckDB and dbt derive different names from the database file's name: DuckDB
    reserves main, system and temp, and dbt reads the path as a URL.
#}
{% macro check_database() %}
    {{ return(adapter.dispatch("check_database")()) }}
{% endmacro %}

{% macro duckdb__check_database() %}
    {% set name = run_query("select current_database() as name").rows[0]["name"] %}
    {% if name | lower != target.database | lower %}
        {% do exceptions.raise_compiler_error(
            "The database file " ~ target.path ~ " needs another name: to dbt this one means "
            ~ target.database ~ ", to DuckDB " ~ name ~ ". Set DBT_DUCKDB_PATH to a name like"
            ~ " music.duckdb, not main, system or temp, without special characters."
        ) %}
    {% endif %}
{% endmacro %}

{% macro redshift__check_database() %}
{% endmacro %}
