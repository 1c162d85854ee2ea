{# What a song is matched by: its title, artist and length, as logged. #}
{% macro match_key(title, artist_name, length) -%}
    md5(
        cast(length({{ title }}) as varchar(20)) || '|' || {{ title }}
        || '|' || {{ artist_name }}
        || '|' || coalesce(cast({{ length }} as varchar(32)), '')
    )
{%- endmacro %}
