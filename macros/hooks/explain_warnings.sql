{#
    Prints the first rows that tests with warnings have found; dbt only prints how many
    there are. With --warn-error they are failures, and printed as well.
#}
{% macro explain_warnings(results) %}
    {% for result in results
        if execute and result.node.resource_type == "test"
        and result.node.config.severity | lower == "warn"
        and result.status in ["warn", "fail"] %}
        {% set sql = "select * from (\n" ~ result.node.compiled_code ~ "\n) as found limit 10" %}
        {% for row in run_query(sql).rows %}
            {% set values = [] %}
            {% for column, value in row.items() if value is not none %}
                {% do values.append(column ~ ": " ~ value) %}
            {% endfor %}
            {% do log(result.node.name ~ ": " ~ values | join(", "), info=true) %}
        {% endfor %}
    {% endfor %}
{% endmacro %}
