{#
    Makes the raw tables ready and reports, for each source table, which of the
    listed files are still to be loaded.

    listings    source table -> file of JSON lines {file_number, file_name, file_size,
                fingerprint}, readable by the engine
    dry_run     report the SQL instead of running it

    Reports {source_table, last_load: {load_id, loaded_at}, is_whole_prefix, new,
    changed}. The last two are runs of consecutive numbers, [[first, last], ...]: a
    first load of 400,000 files is one pair of numbers.
#}
{% macro plan_load(listings, dry_run=false) %}
    {% set present = raw_tables_present() %}
    {% for statement in raw_tables_ddl(present) %}
        {% if dry_run %}
            {% do report({"sql": statement}) %}
        {% else %}
            {% do run_query(statement) %}
        {% endif %}
    {% endfor %}

    {% set has_ledger = not dry_run or "loaded_files" in present %}
    {% for source_table, listing in listings.items() %}
        {# The ledger's newest load first: if another load ends before the files are
           compared, load_batch finds it and stops. #}
        {% set newest = {
            "load_id": 0, "loaded_at": "1970-01-01", "whole_prefix_count": 0
        } %}
        {% if has_ledger %}
            {% set newest = run_query(_newest_load_sql(source_table)).rows[0] %}
        {% endif %}
        {% set plan = {
            "source_table": source_table,
            "last_load": {
                "load_id": newest["load_id"] | int,
                "loaded_at": newest["loaded_at"] | string
            },
            "is_whole_prefix": newest["whole_prefix_count"] | int > 0,
            "new": [],
            "changed": []
        } %}
        {% set sql = _unloaded_files_sql(source_table, listing, has_ledger) %}
        {% for row in run_query(sql).rows %}
            {% do plan[row["state"]].append(
                [row["first_number"] | int, row["last_number"] | int]
            ) %}
        {% endfor %}
        {% do report(plan) %}
    {% endfor %}
{% endmacro %}

{% macro _unloaded_files_sql(source_table, listing, has_ledger) %}
{%- set received = receive_file_list(source_table, listing) -%}
{{ received ~ ';' if received }}
with

listed as (

    {{ read_file_list(source_table, listing) }}

),

known as (

    {% if has_ledger %}
    select
        file_name,
        fingerprint
    from {{ raw_relation("loaded_files") }}
    where source_table = '{{ source_table }}'
    {% else %}
    select
        file_name,
        fingerprint
    from listed
    where 1 = 0
    {% endif %}

),

unloaded as (

    select
        listed.file_number,
        case when known.file_name is null then 'new' else 'changed' end as state
    from listed
    left join known on listed.file_name = known.file_name
    where
        known.file_name is null
        or known.fingerprint <> listed.fingerprint

),

numbered as (

    select
        state,
        file_number,
        file_number
        - row_number() over (partition by state order by file_number) as run
    from unloaded

)

select
    state,
    min(file_number) as first_number,
    max(file_number) as last_number
from numbered
group by state, run
order by first_number
{% endmacro %}

{% macro _newest_load_sql(source_table) %}
select
    coalesce(max(load_id), 0) as load_id,
    coalesce(cast(max(loaded_at) as varchar(32)), '1970-01-01') as loaded_at,
    count(*) - count(file_count) as whole_prefix_count
from {{ raw_relation("loads") }}
where source_table = '{{ source_table }}'
{% endmacro %}
