{#
    Whether a relation has rows with a later time than the column `than` of the model's own
    table has, or any rows while that column has nulls. Models ask at compile time, to leave
    out a part of the query that would find nothing.
#}
{% macro has_newer(relation, column, than) %}
    {% if not execute or not load_relation(relation) %}
        {{ return(false) }}
    {% endif %}
    {% set sql %}
select count(*)
from {{ relation }}
where
    {{ column }} > {{ watermark(than) }}
    or (
        {{ column }} is not null
        and (select count(*) from {{ this }} where {{ than }} is null) > 0
    )
    {% endset %}
    {{ return(run_query(sql).rows[0][0] | int > 0) }}
{% endmacro %}
