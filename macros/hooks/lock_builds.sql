{#
    Before an incremental model or a seed, inside its transaction: has it wait for the same
    one of another build; other models go on. Under snapshot isolation two that found the same new rows would each delete
    what there is of them in its snapshot, nothing, and insert them: twice. Of two that
    drop a seed and create it, one would fail. LOCK must be the first statement, for the
    one that first reads or writes takes the snapshot. It keeps readers out as well, so it
    is on a table that nobody reads.
    https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
#}
{% macro lock_builds() %}
    {% if model.config.materialized in ("incremental", "seed") %}
        {{ return(adapter.dispatch("lock_builds")()) }}
    {% endif %}
{% endmacro %}

{# One process at a time has the database's file. #}
{% macro duckdb__lock_builds() %}
{% endmacro %}

{% macro redshift__lock_builds() %}
    {{ return("lock table " ~ build_lock(model.alias).include(database=false)) }}
{% endmacro %}
