{# Asked before a query is written, so that it leaves out what would find nothing. #}
{% macro has_rows(relation, condition) %}
    {% if not execute or not load_relation(relation) %}
        {{ return(false) }}
    {% endif %}
    {% set sql = "select count(*) from " ~ relation ~ " where " ~ condition %}
    {{ return(run_query(sql).rows[0][0] | int > 0) }}
{% endmacro %}
