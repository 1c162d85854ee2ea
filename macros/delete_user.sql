{#
    Deletes all data of a user in one transaction: the events, also from the ledger's
    counts, and the rows of each table with a user_id. Tables derived from the events of
    all users are emptied, and the next build fills them again. As rejected rows cannot be
    assigned to users, all rejected events lose their values. The loaded files are not
    touched.

    dbt run-operation delete_user --args '{user_id: 26}'
#}
{% macro delete_user(user_id) %}
    {% do check_retries() %}
    {% if user_id is not integer %}
        {% do exceptions.raise_compiler_error(
            "user_id must be an integer, as in --args '{user_id: 26}'."
        ) %}
    {% endif %}

    {% set present = _tables_present() %}
    {% set events = raw_relation("staging_events") %}
    {% if _table_name(events) not in present %}
        {% do exceptions.raise_compiler_error("Nothing has been loaded yet.") %}
    {% endif %}
    {% set user_columns = {events: "userid"} %}
    {% set derived = [] %}
    {% set locks = [raw_relation("loads")] %}
    {% for model in graph.nodes.values() if model.resource_type == "model" %}
        {% set relation = api.Relation.create(schema=model.schema, identifier=model.alias) %}
        {% set lock = build_lock(model.alias).include(database=false) %}
        {% if _table_name(lock) in present %}
            {% do locks.append(lock) %}
        {% endif %}
        {% if _table_name(relation) not in present %}
        {% elif "user_id" in model.columns %}
            {% do user_columns.update({relation: "user_id"}) %}
        {% elif model.fqn[1] == "intermediate" and model.config.materialized == "incremental" %}
            {% do derived.append(relation) %}
        {% endif %}
    {% endfor %}

    {% set rows = run_query(
        _delete_user_sql(user_id, user_columns, derived, locks)
    ).rows %}
    {% for row in rows if row["row_count"] | int > 0 %}
        {% set rows_word = "row" if row["row_count"] | int == 1 else "rows" %}
        {% do log(
            row["table_name"] ~ ": " ~ row["row_count"] ~ " " ~ rows_word ~ " deleted", info=true
        ) %}
    {% endfor %}
    {% if rows | map(attribute="row_count") | sum == 0 %}
        {% do log("No rows of user " ~ user_id ~ " were found.", info=true) %}
    {% else %}
        {% do log(
            "Now remove user " ~ user_id ~ " from the files, or loading them again brings the"
            ~ " user back, and run dbt build.", info=true
        ) %}
    {% endif %}
{% endmacro %}

{% macro _table_name(relation) %}
    {{ return((relation.schema ~ "." ~ relation.identifier) | lower) }}
{% endmacro %}

{# One query, for the reason given in raw_tables_present. #}
{% macro _tables_present() %}
    {% set sql %}
        select lower(table_schema || '.' || table_name) as table_name
        from information_schema.tables
        where
            lower(table_catalog) = lower('{{ target.database }}')
            and table_type = 'BASE TABLE'
    {% endset %}
    {{ return(run_query(sql).rows | map(attribute="table_name") | list) }}
{% endmacro %}

{#
    The locks keep loads from counting, and builds from writing, rows that are being
    deleted.
#}
{% macro _delete_user_sql(user_id, user_columns, derived, locks) -%}
{%- set loads = raw_relation("loads") -%}
begin;

{% if target.type == "redshift" -%}
lock table {{ locks | join(", ") }};
{%- endif %}

create temporary table deleted_rows as
{%- for relation, column in user_columns.items() %}
select
    cast('{{ _table_name(relation) }}' as varchar(256)) as table_name,
    count(*) as row_count
from {{ relation }}
where {{ column }} = {{ user_id }}
{%- if not loop.last %}
union all
{%- endif %}
{%- endfor %};

update {{ loads }}
set row_count = row_count - deleted_count
from (
    select
        loaded_at as deleted_from,
        count(*) as deleted_count
    from {{ raw_relation("staging_events") }}
    where userid = {{ user_id }}
    group by loaded_at
) as deleted
where source_table = 'staging_events' and loaded_at = deleted_from;

update {{ raw_relation("rejected_rows") }}
set value = null
where source_table = 'staging_events';

{% for relation, column in user_columns.items() -%}
delete from {{ relation }} where {{ column }} = {{ user_id }};
{% endfor -%}
{% for relation in derived -%}
delete from {{ relation }};
{% endfor %}
commit;

select
    table_name,
    row_count
from deleted_rows
order by table_name
{%- endmacro %}
