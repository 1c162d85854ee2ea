{#
    The raw tables that exist: table -> names of its columns. One query; the adapter's
    own look-ups would each leave a transaction open.
#}
{% macro raw_tables_present() %}
    {% set relation = raw_relation("loads") %}
    {% set sql %}
        select
            lower(table_name) as table_name,
            lower(column_name) as column_name
        from information_schema.columns
        where
            lower(table_catalog) = lower('{{ relation.database }}')
            and lower(table_schema) = lower('{{ relation.schema }}')
    {% endset %}
    {% set present = {} %}
    {% for row in run_query(sql).rows if row["table_name"] in raw_table_names() %}
        {% do present.setdefault(row["table_name"], []).append(row["column_name"]) %}
    {% endfor %}
    {{ return(present) }}
{% endmacro %}
