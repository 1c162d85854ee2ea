{% macro song_key(title, artist_name) -%}
    md5(
        {{ comparable_name(title) }} || '|' || {{ comparable_name(artist_name) }}
    )
{%- endmacro %}
