{#
    Sets dbt's comments on a table and its columns that do not exist yet. Each takes a
    statement, and an incremental model keeps them between builds. With a contract the
    columns need not be looked up.
    https://docs.aws.amazon.com/redshift/latest/dg/r_COMMENT.html
#}
{% macro redshift__persist_docs(relation, model, for_relation, for_columns) %}
    {% set wanted = {} %}
    {% if for_relation and config.persist_relation_docs() %}
        {% do wanted.update({"": model.description}) %}
    {% endif %}
    {% if for_columns and config.persist_column_docs() %}
        {% if not model.config.contract.enforced %}
            {% do exceptions.raise_compiler_error(
                model.name ~ ": comments on columns need a contract, which ensures that the"
                ~ " columns exist."
            ) %}
        {% endif %}
        {% for column in model.columns.values() %}
            {% do wanted.update({column.name: column.description}) %}
        {% endfor %}
    {% endif %}

    {% set present = _comments(relation) if wanted else {} %}
    {% set statements = [] %}
    {% for column, text in wanted.items()
        if text | trim != present.get(column | lower, "") %}
        {% do statements.append(
            "comment on " ~ ("column" if column else relation.type) ~ " " ~ relation
            ~ ("." ~ column if column else "") ~ " is " ~ postgres_escape_comment(text | trim)
        ) %}
    {% endfor %}
    {% if statements %}
        {% do run_query(statements | join(";\n")) %}
    {% endif %}
{% endmacro %}

{# column -> its comment; '' -> the table's comment. #}
{% macro _comments(relation) %}
    {% set sql %}
        select
            coalesce(lower(columns.attname), '') as column_name,
            trim(descriptions.description) as comment_text
        from pg_class as tables
        inner join pg_namespace as schemas on tables.relnamespace = schemas.oid
        inner join pg_description as descriptions on tables.oid = descriptions.objoid
        left join pg_attribute as columns
            on tables.oid = columns.attrelid and descriptions.objsubid = columns.attnum
        where
            lower(schemas.nspname) = lower('{{ relation.schema }}')
            and lower(tables.relname) = lower('{{ relation.identifier }}')
    {% endset %}
    {% set comments = {} %}
    {% for row in run_query(sql).rows %}
        {% do comments.update({row["column_name"]: row["comment_text"]}) %}
    {% endfor %}
    {{ return(comments) }}
{% endmacro %}
