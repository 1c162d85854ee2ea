{# A raw table as the sources' YAML declares it. #}
{% macro raw_source(table_name) %}
    {{ return(graph.sources["source.sparkify.sparkify." ~ table_name]) }}
{% endmacro %}
