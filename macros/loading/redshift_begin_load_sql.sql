{#
    Waits for other loads to end, then makes this_load: the load that this becomes and
    when the one before it was. Its load_id is null, and refused, if the ledger is not
    as planned, or if no second has passed: loaded_at counts whole seconds, and must be
    later than all before. The lock is on the ledger alone, so that what reads the raw
    tables goes on.
    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html

    last_load_id    the source table's newest load when planned; none if any will do
#}
{% macro redshift_begin_load_sql(source_table, last_load_id) -%}
lock table {{ raw_relation("loads") }};

create temporary table this_load (
    load_id bigint not null,
    previous_loaded_at timestamp
);

insert into this_load
select
    case
        when
            coalesce(max(loaded_at), timestamp '1970-01-01') < getdate()
            {%- if last_load_id is not none %}
            and coalesce(
                max(case when source_table = '{{ source_table }}' then load_id end), 0
            ) = {{ last_load_id }}
            {%- endif %}
            then coalesce(max(load_id), 0) + 1
    end,
    coalesce(max(loaded_at), timestamp '1970-01-01')
from {{ raw_relation("loads") }}
{%- endmacro %}
