{#
    A column's value, read as text, cast to the column's type; an error that names column,
    value and file if it does not fit. The rules are those of COPY on Redshift, and of
    load_staging.py when it reads rows itself: an empty text is null unless the type is a
    text, lengths of texts count in bytes, a text has no NUL, a number is finite, in ASCII,
    without underscores, and whole where the sources' YAML says so.
#}
{% macro checked_value(column) -%}
    {%- set type = column.data_type | lower -%}
    {%- set text = adapter.quote(column.name) -%}
    {%- set refusal -%}
        error(
            'column {{ column.name }}: the value '
            || coalesce('"' || left({{ text }}, 200) || '"', 'null')
            || ' is not a {{ type }}, in file ' || _file
        )
    {%- endset -%}
    {%- set value = "try_cast(" ~ text ~ " as " ~ type ~ ")" -%}
    case
    {%- if type.startswith("varchar") %}
        {%- if is_required(column) %}
        when {{ text }} is null then {{ refusal }}
        {%- endif %}
        when strlen({{ text }}) > {{ type[8:-1] }} or contains({{ text }}, chr(0))
            then {{ refusal }}
        else {{ text }}
    {%- else %}
        when {{ text }} is null or {{ text }} = '' then
            {%- if is_required(column) %} cast({{ refusal }} as {{ type }})
            {%- else %} null
            {%- endif %}
        {%- if engine_type(type) in ["float", "double"] %}
        when
            isfinite({{ value }}) and not contains({{ text }}, '_')
            {%- if max_integer(column) %}
            and {{ value }} = floor({{ value }})
            and abs({{ value }}) <= {{ max_integer(column) }}
            {%- endif %}
            then {{ value }}
        {%- elif engine_type(type) in ["smallint", "integer", "bigint"] %}
        when regexp_full_match({{ text }}, '-?[0-9]+') and {{ value }} is not null
            then {{ value }}
        {%- else %}
        when {{ value }} is not null then {{ value }}
        {%- endif %}
        else cast({{ refusal }} as {{ type }})
    {%- endif %}
    end
{%- endmacro %}
