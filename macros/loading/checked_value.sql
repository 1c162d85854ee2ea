{#
    A column's value, read as text, in the column's type; an error that names file,
    column and value if it does not fit. As COPY on Redshift has it, an empty text is
    null where the type is no text, and the length of a text counts in bytes.
#}
{% macro checked_value(column) -%}
    {%- set text = adapter.quote(column.name) -%}
    {%- set type = column.data_type | lower -%}
    {%- set refusal -%}
        error(
            'column {{ column.name | lower }}: the value '
            || coalesce('"' || left({{ text }}, 200) || '"', 'null')
            || ' is not a {{ type }}'
            || ', in file ' || _file
        )
    {%- endset -%}
    {%- if type.startswith("varchar") -%}
        {%- set bytes = type[8:-1] -%}
        case
            {%- if is_required(column) %}
            when {{ text }} is null then {{ refusal }}
            {%- endif %}
            when strlen({{ text }}) > {{ bytes }} then {{ refusal }}
            else {{ text }}
        end
    {%- else -%}
        {%- set value = "try_cast(" ~ text ~ " as " ~ type ~ ")" -%}
        case
            when {{ text }} is null or {{ text }} = '' then
                {%- if is_required(column) %} cast({{ refusal }} as {{ type }})
                {%- else %} null{% endif %}
            {%- if type in ["smallint", "integer", "bigint"] %}
            when cast({{ value }} as varchar) = {{ text }} then {{ value }}
            when regexp_full_match({{ text }}, '-?[0-9]+(\.0*)?')
                and {{ value }} is not null then {{ value }}
            {%- elif type in ["real", "double precision"] %}
            when isfinite({{ value }}) then {{ value }}
            {%- else %}
            when {{ value }} is not null then {{ value }}
            {%- endif %}
            else cast({{ refusal }} as {{ type }})
        end
    {%- endif -%}
{%- endmacro %}
