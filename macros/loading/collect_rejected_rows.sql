{#
    Keeps in rejected_rows what COPY rejected, of the loads of which that is still to be
    told. Redshift tells it in system views, which may lag behind the COPY, so it is
    waited for until all of them are there. SYS_LOAD_ERROR_DETAIL is on every cluster; it
    gives the column, but not the value.
    https://docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html

    Reports {waiting: number of loads that Redshift tells nothing of yet, rejected: the
    rows told now}.
#}
{% macro collect_rejected_rows() %}
    {% set told = {"waiting": 0, "rejected": 0} %}
    {% set untold %}
        select
            load_id,
            source_table,
            copy_id,
            cast(loaded_at as varchar(32)) as loaded_at
        from {{ raw_relation("loads") }}
        where copy_id is not null and rejected_count is null
    {% endset %}
    {% for load in run_query(untold).rows %}
        {% set counts %}
            select
                (
                    select max(error_count) from sys_load_history
                    where query_id = {{ load["copy_id"] }} and trim(status) = 'completed'
                ) as error_count,
                (
                    select count(*) from sys_load_error_detail
                    where query_id = {{ load["copy_id"] }}
                ) as detail_count
        {% endset %}
        {% set row = run_query(counts).rows[0] %}
        {% if row["error_count"] is none or row["error_count"] != row["detail_count"] %}
            {% do told.update({"waiting": told.waiting + 1}) %}
        {% else %}
            {% do run_query(_keep_rejected_rows_sql(load, row["error_count"])) %}
            {% do told.update({"rejected": told.rejected + row["error_count"] | int}) %}
        {% endif %}
    {% endfor %}
    {% do report(told) %}
{% endmacro %}

{% macro _keep_rejected_rows_sql(load, rejected_count) %}
begin;

lock table {{ raw_relation("loads") }};

delete from {{ raw_relation("rejected_rows") }} where load_id = {{ load["load_id"] }};

insert into {{ raw_relation("rejected_rows") }} (
    load_id, source_table, file_name, line_number, column_name, reason, loaded_at
)
select
    {{ load["load_id"] }},
    '{{ load["source_table"] }}',
    trim(file_name),
    line_number,
    nullif(trim(column_name), ''),
    trim(error_message),
    cast('{{ load["loaded_at"] }}' as timestamp)
from sys_load_error_detail
where query_id = {{ load["copy_id"] }};

update {{ raw_relation("loads") }}
set rejected_count = {{ rejected_count }}
where load_id = {{ load["load_id"] }};

commit
{% endmacro %}
