{#
    Whether a row is the version that counts of those that share a key: the one loaded
    last; of those loaded together, the first by content, nulls last. For QUALIFY.

    content    columns that tell versions apart, in the order in which they are compared
#}
{% macro latest_version(key, content) -%}
    row_number() over (
        partition by {{ key }}
        order by
            loaded_at desc,
            {{ content | join(",\n            ") }}
    ) = 1
{%- endmacro %}
