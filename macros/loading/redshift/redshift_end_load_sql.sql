{#
    Checks what COPY loaded, then writes this_load into the ledger. A query on tables
    cannot see how many rows COPY loaded, so they are counted. Redshift has no statement
    that raises an error, so if something is wrong, the insert fails by a null in a not
    null column whose name says what. One COPY is documented to use one default value for
    all rows for other functions than getdate(), so loaded_at is checked: a build takes
    its watermark from the latest row.
    https://docs.aws.amazon.com/redshift/latest/dg/PG_LAST_COPY_COUNT.html
    https://docs.aws.amazon.com/redshift/latest/dg/c_loading_default_values.html

    last_loaded_at    loaded_at of the source table's previous load, as a text: later rows
                      are this load's
    batch             as for load_batch; none if the whole prefix was loaded
#}
{% macro redshift_end_load_sql(source_table, last_loaded_at, batch=none) -%}
{%- set object_count = batch.object_count if batch else 0 -%}
create temporary table this_copy (
    row_count_if_as_counted bigint not null,
    row_count_if_all_fill_a_column bigint not null,
    row_count_if_all_numbers_fit bigint not null,
    loaded_at_if_one_value timestamp not null
);

insert into this_copy (
    row_count_if_as_counted,
    row_count_if_all_fill_a_column,
    row_count_if_all_numbers_fit,
    loaded_at_if_one_value
)
select
    case
        {%- if batch and batch.is_counted %}
        when count(*) = {{ object_count - batch.reject_count }} then count(*)
        {%- else %}
        when count(*) >= {{ object_count }} then count(*)
        {%- endif %}
    end,
    case
        when count(case when {{ _fills_no_column(source_table) }} then 1 end) = 0
            then count(*)
    end,
    case
        when count(case when {{ _has_a_wrong_number(source_table) }} then 1 end) = 0
            then count(*)
    end,
    case
        when count(*) = 0 then getdate()
        when min(loaded_at) = max(loaded_at) then max(loaded_at)
    end
from {{ raw_relation(source_table) }}
where loaded_at > cast('{{ last_loaded_at }}' as timestamp);

insert into {{ raw_relation("loads") }} (
    load_id,
    source_table,
    file_count,
    row_count,
    rejected_count,
    byte_count,
    loaded_at
)
select
    this_load.load_id,
    '{{ source_table }}',
    {{ "files.file_count" if batch else "null" }},
    this_copy.row_count_if_as_counted,
    {{ batch.reject_count if batch else 0 }},
    {{ "files.byte_count" if batch else "null" }},
    this_copy.loaded_at_if_one_value
from this_load
cross join this_copy
{%- if batch %}
cross join (
    select
        count(*) as file_count,
        cast(sum(file_size) as bigint) as byte_count
    from ({{ read_file_list(source_table, batch.file_list) }}) as listed
) as files
{%- endif %}
{%- endmacro %}

{# Null in all columns; it suffices to check one that must not be null. #}
{% macro _fills_no_column(source_table) -%}
{%- set columns = raw_source(source_table).columns.values()
    | rejectattr("name", "equalto", "loaded_at") | list -%}
{%- set required = [] -%}
{%- for column in columns if is_required(column) -%}
    {%- do required.append(column) -%}
{%- endfor -%}
{%- for column in required[:1] or columns -%}
    {{ column.name | lower }} is null{% if not loop.last %} and {% endif %}
{%- endfor -%}
{%- endmacro %}

{# What COPY accepts as a double precision, but checked_value does not. #}
{% macro _has_a_wrong_number(source_table) -%}
{%- set conditions = ["1 = 0"] -%}
{%- for column in raw_source(source_table).columns.values()
    if engine_type(column.data_type) in ["real", "double precision"] -%}
    {%- set name = column.name | lower -%}
    {%- do conditions.append(
        "not (" ~ name ~ " = floor(" ~ name ~ ") and abs(" ~ name ~ ") <= "
        ~ max_integer(column) ~ ")"
        if max_integer(column) else
        "not (abs(" ~ name ~ ") <= cast('1.7976931348623157e308' as double precision))"
    ) -%}
{%- endfor -%}
{{ conditions | join("\n            or ") }}
{%- endmacro %}
