{% macro load(key) %}
    {% do run_query(
        "create schema if not exists stand_in_raw; "
        ~ "create table if not exists stand_in_raw.events (user_id bigint, level varchar, "
        ~ "played_at timestamp, loaded_at timestamp default getdate()); "
        ~ "create table if not exists stand_in_raw.ledger (key varchar(1024))"
    ) %}
    {% do run_query(
        "begin; "
        ~ "lock table stand_in_raw.events; "
        ~ "copy stand_in_raw.events (user_id, level, played_at) from 's3://fake-redshift/" ~ key
        ~ "' iam_role default format as json 'auto' timeformat 'epochmillisecs'; "
        ~ "insert into stand_in_raw.ledger values ('" ~ key ~ "'); "
        ~ "commit;"
    ) %}
{% endmacro %}
