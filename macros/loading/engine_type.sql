{#
    A type under the one name that the engine's information schema writes it by; two
    spellings of a type are equal under it.
#}
{% macro engine_type(data_type) %}
    {{ return(adapter.dispatch("engine_type")(data_type | lower)) }}
{% endmacro %}

{#
    Lengths of texts count for nothing here: checked_value sees to them.
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

{#
    The precision of numbers is not compared: the information schema has it elsewhere.
    https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html
#}
{% macro redshift__engine_type(data_type) %}
    {% set names = {
        "int2": "smallint",
        "int": "integer",
        "int4": "integer",
        "int8": "bigint",
        "float4": "real",
        "float": "double precision",
        "float8": "double precision",
        "bool": "boolean",
        "varchar": "character varying",
        "nvarchar": "character varying",
        "text": "character varying",
        "char": "character",
        "decimal": "numeric",
        "timestamp": "timestamp without time zone",
        "timestamptz": "timestamp with time zone"
    } %}
    {% set name, bracket, rest = data_type.partition("(") %}
    {% set name = names.get(name, name) %}
    {% if name == "character varying" and not bracket %}
        {% set bracket, rest = "(", "256)" %}
    {% endif %}
    {{ return(name if name == "numeric" else name ~ bracket ~ rest) }}
{% endmacro %}
