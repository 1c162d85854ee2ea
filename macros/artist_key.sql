{% macro artist_key(artist_name) -%}
    md5({{ comparable_name(artist_name) }})
{%- endmacro %}
