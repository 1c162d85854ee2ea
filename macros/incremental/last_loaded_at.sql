{# The time up to which a relation includes what was loaded, as a literal. #}
{% macro last_loaded_at(relation) -%}
    {{ watermark("loaded_at", relation) }}
{%- endmacro %}
