{#
    Loads one batch of files into one source table, in one transaction with its rows of
    the ledger.

    batch      source_table   raw table to load
               file_list      file of JSON lines: the files of the batch, as for plan_load
               last_load      the source table's newest load when this one was planned, its
                              load_id and loaded_at; the load stops if there is a newer one
               replaces       what the batch replaces: "all" rows of the table, one load by
                              its load_id, or none
               has_new_types  with replaces "all": recreate the table with the YAML's types
               object_count   objects and other pieces of text that the loader counted in the
                              files: as many rows must be loaded or rejected
               is_counted     whether it counted those of all files; if not, there may be more
               rejects        file of JSON lines: the rejected rows
               reject_count   how many there are
               manifest       Redshift: the manifest of the batch, for COPY
               compression    Redshift: of all its files, gzip, bzip2 or zstd; "" if none
               ignore_case    DuckDB: whether some key differs from its column's name in case
    dry_run    report the SQL instead of running it

    Reports {load: {load_id, loaded_at}, row_count, rejected_count}.
#}
{% macro load_batch(batch, dry_run=false) %}
    {% do check_retries() %}
    {% set sql = load_batch_sql(batch) %}
    {% if dry_run %}
        {% do report({"sql": sql}) %}
    {% else %}
        {% set row = run_query(sql).rows[0] %}
        {% do report({
            "load": {"load_id": row["load_id"] | int, "loaded_at": row["loaded_at"] | string},
            "row_count": row["row_count"] | int,
            "rejected_count": row["rejected_count"] | int
        }) %}
    {% endif %}
{% endmacro %}
