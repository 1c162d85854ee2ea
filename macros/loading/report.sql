{# Tells load_staging.py something: run-operation returns no values, its events do. #}
{% macro report(value) %}
    {% do log("load_staging: " ~ tojson(value)) %}
{% endmacro %}
