{#
    At the start of a full refresh: drops the foreign keys of the tables that it rebuilds;
    declare_keys declares them again at the end. Otherwise two models could deadlock, as
    dropping a table also locks the tables whose keys refer to it.
    https://docs.aws.amazon.com/redshift/latest/dg/r_DROP_TABLE.html
#}
{% macro drop_foreign_keys() %}
    {% if execute and flags.FULL_REFRESH %}
        {{ return(adapter.dispatch("drop_foreign_keys")()) }}
    {% endif %}
{% endmacro %}

{% macro duckdb__drop_foreign_keys() %}
{% endmacro %}

{% macro redshift__drop_foreign_keys() %}
    {% set tables = [] %}
    {% for unique_id in selected_resources if _keeps_keys(graph.nodes.get(unique_id)) %}
        {% do tables.append(_table_of_key(graph.nodes[unique_id], "", "")) %}
    {% endfor %}
    {% set statements = [] %}
    {% if tables %}
        {% set names = tables | map(attribute="table_name") | list %}
        {% for key in _declared_keys(tables)
            if key.parent_name and (key.parent_name in names or key.table_name in names) %}
            {% do statements.append(
                "alter table " ~ adapter.quote(key.schema) ~ "."
                ~ adapter.quote(key.table_name)
                ~ " drop constraint " ~ adapter.quote(key.key_name)
            ) %}
        {% endfor %}
    {% endif %}
    {{ return(statements | join(";\n")) }}
{% endmacro %}
