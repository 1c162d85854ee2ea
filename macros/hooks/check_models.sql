{#
    At the start of an incremental run: stops it with one message if a table has other
    columns than its model, perhaps from another version of the project.
#}
{% macro check_models() %}
    {% if execute and flags.WHICH in ["build", "run"] and not flags.FULL_REFRESH %}
        {% set models = [] %}
        {% for unique_id in selected_resources %}
            {% set node = graph.nodes.get(unique_id) %}
            {% if node and node.resource_type == "model"
                and node.config.materialized == "incremental" %}
                {% do models.append(node) %}
            {% endif %}
        {% endfor %}
        {% set found = _columns_of(models) if models else {} %}
        {% for node in models if node.alias | lower in found %}
            {% set expected = node.columns | map("lower") | sort %}
            {% if found[node.alias | lower] | sort != expected %}
                {% do exceptions.raise_compiler_error(
                    "The table " ~ node.schema ~ "." ~ node.alias ~ " has other columns than"
                    ~ " its model; another version of this project built it. Run `dbt build"
                    ~ " --full-refresh`, which rebuilds it from the raw tables; these and the"
                    ~ " ledger stay as they are."
                ) %}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{# The tables of these models that exist: name -> columns. #}
{% macro _columns_of(models) %}
    {% set sql %}
        select
            lower(table_schema) as schema_name,
            lower(table_name) as table_name,
            lower(column_name) as column_name
        from information_schema.columns
        where
            lower(table_catalog) = lower('{{ target.database }}')
            and lower(table_schema) in (
                '{{ models | map(attribute="schema") | map("lower") | unique | join("', '") }}'
            )
    {% endset %}
    {% set found = {} %}
    {% for row in run_query(sql).rows %}
        {% for node in models
            if node.alias | lower == row["table_name"]
            and node.schema | lower == row["schema_name"] %}
            {% do found.setdefault(row["table_name"], []).append(row["column_name"]) %}
        {% endfor %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}
