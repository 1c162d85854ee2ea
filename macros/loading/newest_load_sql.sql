{# A query for a source table's newest load. #}
{% macro newest_load_sql(source_table) %}
select
    coalesce(max(load_id), 0) as load_id,
    coalesce(cast(max(loaded_at) as varchar(32)), '1970-01-01') as loaded_at,
    count(*) - count(file_count) as whole_prefix_count
from {{ raw_relation("loads") }}
where source_table = '{{ source_table }}'
{% endmacro %}
