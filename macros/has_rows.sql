{# Asked before a query is written, so that it leaves out what would find nothing. #}
{% macro has_rows(relation, condition) %}
    {{ return(execute and run_query(
        "select count(*) from " ~ relation ~ " where " ~ condition
    ).rows[0][0] | int > 0) }}
{% endmacro %}
