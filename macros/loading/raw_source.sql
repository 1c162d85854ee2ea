{# A raw table as the sources' YAML declares it. #}
{% macro raw_source(table_name) %}
    {{ return(_raw_sources() | selectattr("name", "equalto", table_name) | first) }}
{% endmacro %}
