{#
    Loads one batch of files into one source table, in one transaction with its
    rows of the ledger.

    source_table    raw table to load
    file_list       file of JSON lines, the files of the batch, as for plan_load
    last_load       the source table's newest load when this one was planned, its
                    load_id and loaded_at: if there is a newer one, the load stops
    replace         empty the table, and its part of the ledger, first
    manifest        Redshift: the manifest of the batch, for COPY
    is_gzip         Redshift: whether all its files are zipped; otherwise none is
    dry_run         report the SQL instead of running it

    Reports {load: {load_id, loaded_at}, row_count}.
#}
{% macro load_batch(
    source_table, file_list, last_load, replace, manifest=none, is_gzip=false, dry_run=false
) %}
    {% set sql = load_batch_sql(
        source_table, file_list, last_load, replace, manifest, is_gzip
    ) %}
    {% if dry_run %}
        {% do report({"sql": sql}) %}
    {% else %}
        {% set row = run_query(sql).rows[0] %}
        {% do report({
            "load": {"load_id": row["load_id"] | int, "loaded_at": row["loaded_at"] | string},
            "row_count": row["row_count"] | int
        }) %}
    {% endif %}
{% endmacro %}
