{#
    Without the precision of numbers, which the information schema has elsewhere.
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
