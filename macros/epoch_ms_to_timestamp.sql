{#
    Null beyond the limits: a number that no timestamp can hold would stop every build.
#}
{% macro epoch_ms_to_timestamp(column) -%}
    case
        when {{ column }} between {{ epoch_ms_limits() | join(" and ") }}
            then {{ adapter.dispatch("epoch_ms_to_timestamp")(column) }}
    end
{%- endmacro %}

{# https://duckdb.org/docs/stable/sql/functions/timestamp #}
{% macro duckdb__epoch_ms_to_timestamp(column) -%}
    epoch_ms(cast({{ column }} as bigint))
{%- endmacro %}

{#
    The seconds are added as an interval, since dateadd() takes a 4-byte number
    and 2038 exceeds it.
    https://docs.aws.amazon.com/redshift/latest/dg/r_DATEADD_function.html
#}
{% macro redshift__epoch_ms_to_timestamp(column) -%}
    dateadd(
        ms,
        cast(cast({{ column }} as bigint) % 1000 as integer),
        timestamp 'epoch'
        + cast({{ column }} as bigint) / 1000 * interval '1 second'
    )
{%- endmacro %}
