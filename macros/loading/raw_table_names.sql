{# The source tables and the ledger's tables, in the order of the sources' YAML. #}
{% macro raw_table_names() %}
    {{ return(_raw_sources() | map(attribute="name") | list) }}
{% endmacro %}

{% macro _raw_sources() %}
    {{ return(
        graph.sources.values()
        | selectattr("source_name", "in", ["sparkify", "ledger"])
        | list
    ) }}
{% endmacro %}
