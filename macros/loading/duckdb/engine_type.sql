{#
    Lengths of texts are left out: checked_value enforces them.
    https://duckdb.org/docs/stable/sql/data_types/overview
#}
{% macro duckdb__engine_type(data_type) %}
    {% set names = {
        "int2": "smallint",
        "int": "integer",
        "int4": "integer",
        "int8": "bigint",
        "real": "float",
        "float4": "float",
        "double precision": "double",
        "float8": "double",
        "bool": "boolean",
        "character varying": "varchar",
        "text": "varchar",
        "char": "varchar",
        "numeric": "decimal",
        "timestamp without time zone": "timestamp",
        "timestamptz": "timestamp with time zone"
    } %}
    {% set name, bracket, rest = data_type.partition("(") %}
    {% set name = names.get(name, name) %}
    {{ return(name if name == "varchar" else name ~ bracket ~ rest) }}
{% endmacro %}
