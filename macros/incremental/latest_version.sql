{#
    For QUALIFY: whether a row is the version that counts among those with the same key,
    the one loaded last; of those loaded together, the first by content, nulls last.

    content    columns that distinguish versions, in the order of comparison
#}
{% macro latest_version(key, content) -%}
    row_number() over (
        partition by {{ key }}
        order by
            loaded_at desc,
            {{ content | join(",\n            ") }}
    ) = 1
{%- endmacro %}
