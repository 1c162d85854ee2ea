{# The source tables to load and the ledger, in the order of the sources' YAML. #}
{% macro raw_table_names() %}
    {{ return(
        graph.sources.values()
        | selectattr("source_name", "equalto", "sparkify")
        | map(attribute="name")
        | list
    ) }}
{% endmacro %}
