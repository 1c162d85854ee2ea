{# Passes a value to load_staging.py as a log event; run-operation returns none. #}
{% macro report(value) %}
    {% do log("load_staging: " ~ tojson(value)) %}
{% endmacro %}
