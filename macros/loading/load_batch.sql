{#
    Loads one batch of files into one source table, in one transaction with its
    rows of the ledger.

    batch      source_table  raw table to load
               file_list     file of JSON lines, the files of the batch, as for plan_load
               last_load     the source table's newest load when this one was planned,
                             its load_id and loaded_at: if there is a newer one, the
                             load stops
               undo          what the batch takes the place of: "all" that the table
                             holds, one load by its load_id, or none
               is_new_type   undo "all" makes the table anew, with the types of the YAML
               max_errors    rows that may be rejected; more undo the load
               is_joined     whether lines of many files are in one that the engine reads
               manifest      Redshift: the manifest of the batch, for COPY
               is_gzip       Redshift: whether all its files are zipped; otherwise none is
               broken        DuckDB: numbers of the paths to read line by line, since
                             they are no JSON throughout
               is_all_broken DuckDB: whether these are all files of the batch
    dry_run    report the SQL instead of running it

    Reports {load: {load_id, loaded_at}, row_count, rejected_count}; the last is none if
    Redshift has still to tell.
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
            "rejected_count": row["rejected_count"]
        }) %}
    {% endif %}
{% endmacro %}
