{#
    A column's value, read as text, in the column's type; an error that names file,
    column and value if it does not fit. As COPY on Redshift has it, an empty text is
    null where the type is no text, the length of a text counts in bytes, a text holds no
    NUL, and digits are not grouped by underscores.
#}
{% macro checked_value(column) -%}
    {%- set type = column.data_type | lower -%}
    {%- set refusal -%}
        error(
            'column {{ column.name | lower }}: the value '
            || coalesce('"' || left({{ adapter.quote(column.name) }}, 200) || '"', 'null')
            || ' is not a {{ type }}'
            || ', in file ' || _file
        )
    {%- endset -%}
    {%- if type.startswith("varchar") -%}
        {{ _judged_value(column, adapter.quote(column.name), refusal) }}
    {%- else -%}
        {{ _judged_value(
            column, _typed_value(column), "cast(" ~ refusal ~ " as " ~ type ~ ")"
        ) }}
    {%- endif -%}
{%- endmacro %}

{# Why a column's value, read as text, does not fit: column_name, value and reason. #}
{% macro rejection(column) -%}
    {%- set reason -%}
        {
            'column_name': '{{ column.name | lower }}',
            'value': left({{ adapter.quote(column.name) }}, 1000),
            'reason': 'not a {{ column.data_type | lower }}'
        }
    {%- endset -%}
    {{ _judged_value(column, "null", reason) }}
{%- endmacro %}

{% macro _typed_value(column) -%}
    try_cast({{ adapter.quote(column.name) }} as {{ column.data_type | lower }})
{%- endmacro %}

{% macro _judged_value(column, accepted, refused) -%}
    {%- set text = adapter.quote(column.name) -%}
    {%- set type = column.data_type | lower -%}
    {%- if type.startswith("varchar") -%}
        case
            {%- if is_required(column) %}
            when {{ text }} is null then {{ refused }}
            {%- endif %}
            when strlen({{ text }}) > {{ type[8:-1] }} or contains({{ text }}, chr(0))
                then {{ refused }}
            else {{ accepted }}
        end
    {%- else -%}
        {%- set value = _typed_value(column) -%}
        case
            when {{ text }} is null or {{ text }} = '' then
                {%- if is_required(column) %} {{ refused }}
                {%- else %} null{% endif %}
            {%- if type in ["smallint", "integer", "bigint"] %}
            when cast({{ value }} as varchar) = {{ text }} then {{ accepted }}
            when regexp_full_match({{ text }}, '-?[0-9]+(\.0*)?')
                and {{ value }} is not null then {{ accepted }}
            {%- elif type in ["real", "double precision"] %}
            when isfinite({{ value }}) and not contains({{ text }}, '_') then {{ accepted }}
            {%- else %}
            when {{ value }} is not null then {{ accepted }}
            {%- endif %}
            else {{ refused }}
        end
    {%- endif -%}
{%- endmacro %}
