{#
    The raw tables that exist: table -> column -> type, as the engine writes it. One
    query; the adapter's own look-ups would each leave a transaction open.
#}
{% macro raw_tables_present() %}
    {% set relation = raw_relation("loads") %}
    {% set sql %}
        select
            lower(table_name) as table_name,
            lower(column_name) as column_name,
            lower(data_type) as data_type,
            character_maximum_length as byte_count
        from information_schema.columns
        where
            lower(table_catalog) = lower('{{ relation.database }}')
            and lower(table_schema) = lower('{{ relation.schema }}')
    {% endset %}
    {% set present = {} %}
    {% for row in run_query(sql).rows if row["table_name"] in raw_table_names() %}
        {% set byte_count = row["byte_count"] %}
        {% do present.setdefault(row["table_name"], {}).update({
            row["column_name"]: row["data_type"]
                ~ ("(" ~ byte_count | int ~ ")" if byte_count is not none else "")
        }) %}
    {% endfor %}
    {{ return(present) }}
{% endmacro %}
