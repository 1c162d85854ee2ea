{#
    The raw tables that exist: table -> column -> type, as the engine spells it. One
    query, since each look-up of the adapter would leave a transaction open. Raises an
    error if something else has the name of a raw table; it joins the columns, since
    those of Redshift's late-binding views are not listed.
#}
{% macro raw_tables_present() %}
    {% set relation = raw_relation("loads") %}
    {% set sql %}
        select
            lower(named.table_name) as table_name,
            lower(named.table_type) as table_type,
            lower(filled.column_name) as column_name,
            lower(filled.data_type) as data_type,
            filled.character_maximum_length as byte_count
        from information_schema.tables as named
        left join information_schema.columns as filled
            on
                named.table_catalog = filled.table_catalog
                and named.table_schema = filled.table_schema
                and named.table_name = filled.table_name
        where
            lower(named.table_catalog) = lower('{{ relation.database }}')
            and lower(named.table_schema) = lower('{{ relation.schema }}')
    {% endset %}
    {% set present = {} %}
    {% for row in run_query(sql).rows if row["table_name"] in raw_table_names() %}
        {% if row["table_type"] != "base table" %}
            {% do exceptions.raise_compiler_error(
                raw_relation(row["table_name"]) ~ " is a " ~ row["table_type"] ~ ", but"
                ~ " must be a table: drop or rename it, or set DBT_RAW_SCHEMA to"
                ~ " another schema."
            ) %}
        {% endif %}
        {% set byte_count = row["byte_count"] %}
        {% do present.setdefault(row["table_name"], {}).update({
            row["column_name"]: row["data_type"]
                ~ ("(" ~ byte_count | int ~ ")" if byte_count is not none else "")
        }) %}
    {% endfor %}
    {{ return(present) }}
{% endmacro %}
