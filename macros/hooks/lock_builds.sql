{#
    Before an incremental model or a seed, inside its transaction: makes it wait for the
    same one of another build, but for no others. Under snapshot isolation two builds that
    found the same new rows would both insert them, as neither sees the other's to delete.
    Of two that drop and create a seed, one would fail. LOCK must be the first statement,
    since the first one that reads or writes takes the snapshot. It blocks readers as well,
    so it locks a table that nobody reads.
    https://docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation.html
    https://docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html
#}
{% macro lock_builds() %}
    {% if model.config.materialized in ("incremental", "seed") %}
        {{ return(adapter.dispatch("lock_builds")()) }}
    {% endif %}
{% endmacro %}

{# One process at a time opens the database file. #}
{% macro duckdb__lock_builds() %}
{% endmacro %}

{% macro redshift__lock_builds() %}
    {{ return("lock table " ~ build_lock(model.alias).include(database=false)) }}
{% endmacro %}
