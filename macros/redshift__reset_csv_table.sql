{#
    Drops a seed's table, to create it again, in the transaction that holds the lock of
    lock_builds. dbt's own drop is a transaction by itself, which would let another build
    in between, and readers see no table. It has that one for the sake of CASCADE, which
    conflicts with concurrent transactions; no view is bound to a seed.
    https://docs.aws.amazon.com/redshift/latest/dg/r_DROP_TABLE.html
#}
{% macro redshift__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {% if not full_refresh %}
        {{ exceptions.raise_compiler_error(
            model.name ~ ": seeds have full_refresh: true in dbt_project.yml. Without it"
            ~ " dbt would TRUNCATE, which ends the transaction, and the rows of two"
            ~ " builds at once would both be there."
        ) }}
    {% endif %}
    {% call statement("drop_seed") %}
        drop table if exists {{ old_relation }}
    {% endcall %}
    {{ return(create_csv_table(model, agate_table)) }}
{% endmacro %}
