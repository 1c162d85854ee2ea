{% macro user_session_id(user_id, session_id) -%}
    md5(
        cast({{ user_id }} as varchar(20))
        || '|' || cast({{ session_id }} as varchar(20))
    )
{%- endmacro %}
