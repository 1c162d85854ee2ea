{#
    Waits until the second of a source table's newest load has passed on Redshift's clock,
    as the next load must have a later loaded_at, in whole seconds. Neither dbt nor
    Redshift can sleep, so it polls the time; at most some thousand times, since the clock
    may have been set back.
#}
{% macro redshift_wait_for_later_second(source_table) %}
    {% set loaded_at = run_query(newest_load_sql(source_table)).rows[0]["loaded_at"] %}
    {% set sql = "select getdate() > cast('" ~ loaded_at ~ "' as timestamp) as is_later" %}
    {% set state = namespace(is_later=false) %}
    {% for _ in range(5000) if not state.is_later %}
        {% set state.is_later = run_query(sql).rows[0]["is_later"] %}
    {% endfor %}
{% endmacro %}
