{# The key by which a song is matched: its title, artist and length, as logged. #}
{% macro match_key(title, artist_name, length) -%}
    md5(
        cast(length({{ title }}) as varchar(20)) || '|' || {{ title }}
        || '|' || {{ artist_name }}
        || '|' || coalesce(cast({{ length }} as varchar(32)), '')
    )
{%- endmacro %}
