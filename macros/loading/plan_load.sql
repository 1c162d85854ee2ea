{#
    Creates or extends the raw tables, then compares the listed files of each source
    table with the ledger.

    listings       source table -> file of JSON lines {file_number, file_name, file_size,
                   fingerprint}, readable by the engine
    prefixes       source table -> what the full names of all files under its location
                   begin with
    project_dir    the project's folder, ending in a slash, which relative names are in
    full_refresh   whether the source tables are to be replaced
    dry_run        report the SQL instead of running it

    Reports {source_table, last_load: {load_id, loaded_at}, is_whole_prefix, has_new_types,
    ranges}: ranges of files with consecutive numbers, {state, load_id, first, last,
    file_count, file_name, last_file_name}, so that 400,000 new files are one range.
    States are

    new         listed, but not loaded
    changed     listed, but loaded with another fingerprint
    gone        loaded, but no longer listed; without numbers
    elsewhere   gone, and not under the location
    loaded      listed and loaded: the files loaded together with a changed one, and the
                first of the others, which shows that there are any
#}
{% macro plan_load(listings, prefixes, project_dir, full_refresh=false, dry_run=false) %}
    {% do check_retries() %}
    {% do check_database() %}
    {% set present = raw_tables_present() %}
    {% set has_ledger = "loads" in present and "loaded_files" in present %}
    {% set new_types = check_raw_tables(present, listings if full_refresh else []) %}
    {% if has_ledger and not full_refresh %}
        {% do _check_ledger_has_tables(listings, present) %}
    {% endif %}
    {% for statement in raw_tables_ddl(present) %}
        {% if dry_run %}
            {% do report({"sql": statement}) %}
        {% else %}
            {% do run_query(statement) %}
        {% endif %}
    {% endfor %}

    {% set has_ledger = has_ledger or not dry_run %}
    {% for source_table, listing in listings.items() %}
        {# The newest load is read first: if another load ends before the files are
           compared, load_batch notices and stops. #}
        {% set newest = {
            "load_id": 0,
            "loaded_at": "1970-01-01",
            "whole_prefix_count": 0
        } %}
        {% if has_ledger %}
            {% set newest = run_query(newest_load_sql(source_table)).rows[0] %}
        {% endif %}
        {% set comparison = {
            "source_table": source_table,
            "last_load": {
                "load_id": newest["load_id"] | int,
                "loaded_at": newest["loaded_at"] | string
            },
            "is_whole_prefix": newest["whole_prefix_count"] | int > 0,
            "has_new_types": source_table in new_types,
            "ranges": []
        } %}
        {% set sql = _compare_files_sql(
            source_table, listing, prefixes[source_table], project_dir, has_ledger
        ) %}
        {% for row in run_query(sql).rows %}
            {% set has_numbers = row["first_number"] is not none %}
            {% do comparison.ranges.append({
                "state": row["state"],
                "load_id": row["load_id"] | int,
                "first": row["first_number"] | int if has_numbers else none,
                "last": row["last_number"] | int if has_numbers else none,
                "file_count": row["file_count"] | int,
                "file_name": row["file_name"],
                "last_file_name": row["last_file_name"]
            }) %}
        {% endfor %}
        {% do report(comparison) %}
    {% endfor %}
{% endmacro %}

{% macro _compare_files_sql(source_table, listing, prefix, project_dir, has_ledger) %}
{%- set preparation = prepare_file_list(source_table, listing) -%}
{{ preparation ~ ';' if preparation }}
with

listed as (

    {{ read_file_list(source_table, listing) }}

),

recorded as (

    {% if has_ledger %}
    select
        load_id,
        file_name,
        fingerprint,
        case
            when file_name like '/%' or file_name like 's3://%' then file_name
            else {{ sql_literal(project_dir) }} || file_name
        end as full_name
    from {{ raw_relation("loaded_files") }}
    where source_table = '{{ source_table }}'
    {% else %}
    select
        0 as load_id,
        file_name,
        fingerprint,
        file_name as full_name
    from listed
    where 1 = 0
    {% endif %}

),

compared as (

    select
        recorded.load_id,
        listed.file_number,
        coalesce(listed.file_name, recorded.file_name) as file_name,
        cast(
            case
                when recorded.file_name is null then 'new'
                when recorded.fingerprint <> listed.fingerprint then 'changed'
                when listed.file_name is not null then 'loaded'
                when
                    left(recorded.full_name, {{ prefix | length }})
                    <> {{ sql_literal(prefix) }}
                    then 'elsewhere'
                else 'gone'
            end as varchar(16)
        ) as state
    from listed
    full outer join recorded on listed.file_name = recorded.file_name

),

changed_loads as (

    select distinct load_id from compared

    where state = 'changed'

),

-- Most nights nearly all files are loaded; only one of these is reported.
reported as (

    select * from compared

    where
        state <> 'loaded'
        or load_id in (select load_id from changed_loads)
        or file_number = (
            select min(file_number) from compared where state = 'loaded'
        )

),

numbered as (

    select
        *,
        file_number
        - row_number() over (partition by state, load_id order by file_number) as range_number
    from reported

)

select
    state,
    coalesce(load_id, 0) as load_id,
    min(file_number) as first_number,
    max(file_number) as last_number,
    count(*) as file_count,
    min(file_name) as file_name,
    max(file_name) as last_file_name
from numbered
group by state, load_id, range_number
order by first_number
{% endmacro %}

{# A missing raw table would be created empty, although the ledger says it is loaded. #}
{% macro _check_ledger_has_tables(listings, present) %}
    {% for source_table in listings if source_table not in present %}
        {% if run_query(newest_load_sql(source_table)).rows[0]["load_id"] | int > 0 %}
            {% do exceptions.raise_compiler_error(
                "The table " ~ raw_relation(source_table) ~ " is missing, but the ledger"
                ~ " lists what was loaded into it: load it again with --full-refresh"
                ~ " --select " ~ source_table ~ "."
            ) %}
        {% endif %}
    {% endfor %}
{% endmacro %}
