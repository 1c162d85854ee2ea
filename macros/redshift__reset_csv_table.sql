{#
    Drops and recreates a seed's table in the transaction that holds the lock of
    lock_builds. dbt's own drop is a transaction of its own, so another build could come in
    between, and readers would see no table. dbt does that because CASCADE conflicts with
    concurrent transactions; here no view is bound to a seed.
    https://docs.aws.amazon.com/redshift/latest/dg/r_DROP_TABLE.html
#}
{% macro redshift__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {% if not full_refresh %}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": seeds need full_refresh: true in dbt_project.yml. Without it"
            ~ " dbt would TRUNCATE, which ends the transaction, and two builds at the same"
            ~ " time would double the rows."
        ) }}
    {% endif %}
    {% call statement("drop_seed") %}
        drop table if exists {{ old_relation }}
    {% endcall %}
    {{ return(create_csv_table(model, agate_table)) }}
{% endmacro %}
