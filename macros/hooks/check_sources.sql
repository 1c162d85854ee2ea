{#
    At the start of a run that reads raw tables: stops it with one message if they do not
    exist. Otherwise each staging model and each of its tests would fail.
#}
{% macro check_sources() %}
    {% if execute and flags.WHICH in ["build", "run", "test"] and _reads_raw_tables() %}
        {% do check_database() %}
        {% set present = raw_tables_present() %}
        {% for name in raw_table_names() if name not in present %}
            {% do exceptions.raise_compiler_error(
                "Nothing was loaded yet: there is no table " ~ raw_relation(name)
                ~ ". Run `python load_staging.py` first, with the same target and variables."
            ) %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{# Everything does but seeds and their tests. #}
{% macro _reads_raw_tables() %}
    {% for unique_id in selected_resources if not unique_id.startswith("seed.") %}
        {% if unique_id.startswith("unit_test.") %}
            {{ return(true) }}
        {% endif %}
        {% for parent in graph.nodes.get(unique_id, {}).get("depends_on", {}).get("nodes", [])
            if not parent.startswith("seed.") %}
            {{ return(true) }}
        {% endfor %}
    {% endfor %}
    {{ return(false) }}
{% endmacro %}
