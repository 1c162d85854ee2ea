{#
    Puts which rows COPY rejected in the place of how many they are.

    batch    what load_batch was given and what it reported; rejects: their file
#}
{% macro keep_rejected_rows(batch) %}
    {% set sql %}
begin;

lock table {{ raw_relation("loads") }};

delete from {{ raw_relation("rejected_rows") }}
where load_id = {{ batch.load.load_id }} and file_name is null;

{{ redshift_keep_rejects_sql(batch, batch.load.load_id) }};

commit
    {% endset %}
    {% do run_query(sql) %}
{% endmacro %}
