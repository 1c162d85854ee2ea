{#
    A full reload without Python, for dbt Cloud: COPY replaces the rows of each source
    table with all that is under its location. It does not know the files, so its load
    in the ledger has no file_count, and load_staging.py then needs --full-refresh.

    select     source tables to load; all if none is named
    is_gzip    whether all objects are compressed with gzip; otherwise none may be

    dbt run-operation load_staging --args '{select: [staging_songs]}'
#}
{% macro load_staging(select=[], is_gzip=false) %}
    {% do check_retries() %}
    {% if target.type != "redshift" %}
        {% do exceptions.raise_compiler_error(
            "run-operation load_staging is for Redshift; run"
            ~ " `python load_staging.py --full-refresh` on other engines."
        ) %}
    {% endif %}
    {% set names = [] %}
    {% for name in raw_table_names() if raw_source(name).external %}
        {% do names.append(name) %}
    {% endfor %}
    {% for name in select if name not in names %}
        {% do exceptions.raise_compiler_error(
            "select: no source table is called " ~ name ~ "; there are "
            ~ names | join(" and ") ~ "."
        ) %}
    {% endfor %}

    {% set loads = {} %}
    {% for name in names if not select or name in select %}
        {% do loads.update({name: redshift_load_prefix_sql(name, is_gzip)}) %}
    {% endfor %}
    {% for statement in raw_tables_ddl(raw_tables_present()) %}
        {% do run_query(statement) %}
    {% endfor %}
    {% for name, sql in loads.items() %}
        {% do redshift_wait_for_later_second(name) %}
        {% set row = run_query(sql).rows[0] %}
        {% do log(name ~ ": " ~ row["row_count"] ~ " rows", info=true) %}
    {% endfor %}
{% endmacro %}
