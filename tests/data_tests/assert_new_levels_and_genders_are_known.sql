-- A level or gender that dbt_project.yml does not list is kept, but queries
-- that compare with the listed values miss it.
{{ config(severity='warn', fail_calc='coalesce(sum(event_count), 0)') }}

{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', source('ledger', 'loads'), days_before=3) %}
{% set known_values = {'level': var('levels'), 'gender': var('genders')} %}

{% for column, values in known_values.items() %}
select
    cast('{{ column }}' as varchar(32)) as column_name,
    {{ column }} as unknown_value,
    count(*) as event_count,
    min(loaded_at) as loaded_since
from {{ ref('stg_events') }}
where
    {{ is_new }}
    and {{ column }} not in (
        {% for value in values %}
        '{{ value }}'{% if not loop.last %},{% endif %}
        {% endfor %}
    )
group by {{ column }}
{% if not loop.last %}

union all

{% endif %}
{% endfor %}
