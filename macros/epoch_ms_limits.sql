{#
    The first and the last epoch milliseconds that count as a time: 2000-01-01 and
    mid-2149. Nobody streamed music before; earlier values are mostly seconds. And
    dim_time can have days for 179 years, from 1970 to then.
#}
{% macro epoch_ms_limits() %}
    {{ return([946684800000, 5662310399999]) }}
{% endmacro %}
