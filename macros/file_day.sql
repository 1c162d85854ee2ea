{#
    The day in a file's name, as the text 20181105, or '' if there is none. It may be
    written 2018-11-05, 2018/11/05, 2018_11_05 or 20181105, and no digit may follow.
#}
{% macro file_day(column) -%}
    {{ adapter.dispatch("file_day")(
        column ~ " || '.'",
        "20[0-9]{2}[-/_]?[01][0-9][-/_]?[0-3][0-9][^0-9]"
    ) }}
{%- endmacro %}

{% macro duckdb__file_day(text, pattern) -%}
    left(
        regexp_replace(
            regexp_extract({{ text }}, '{{ pattern }}'), '[^0-9]', '', 'g'
        ),
        8
    )
{%- endmacro %}

{% macro redshift__file_day(text, pattern) -%}
    left(
        regexp_replace(
            regexp_substr({{ text }}, '{{ pattern }}'), '[^0-9]', ''
        ),
        8
    )
{%- endmacro %}
