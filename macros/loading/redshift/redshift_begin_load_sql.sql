{#
    Waits for other loads to end, then creates this_load with the id of the new load. The
    insert fails, by a null in a not null column whose name says why, if the ledger is not
    as planned, or if the source table's last load was in the same second: loaded_at has
    whole seconds and must be later. Only the ledger is locked, so that readers of the raw
    tables go on.
    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html

    last_load_id    the source table's newest load when planned; none if any will do
#}
{% macro redshift_begin_load_sql(source_table, last_load_id) -%}
lock table {{ raw_relation("loads") }};

create temporary table this_load (
    load_id bigint not null,
    no_other_load_came_in_between_else_run_again boolean not null
);

insert into this_load (load_id, no_other_load_came_in_between_else_run_again)
select
    coalesce(max(load_id), 0) + 1,
    case
        when
            getdate() > coalesce(
                max(case when source_table = '{{ source_table }}' then loaded_at end),
                timestamp '1970-01-01'
            )
            {%- if last_load_id is not none %}
            and {{ last_load_id }} = coalesce(
                max(case when source_table = '{{ source_table }}' then load_id end), 0
            )
            {%- endif %}
            then true
    end
from {{ raw_relation("loads") }}
{%- endmacro %}
