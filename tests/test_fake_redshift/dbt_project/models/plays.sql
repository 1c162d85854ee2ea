{{ config(
    materialized='incremental', unique_key=['user_id', 'played_at'], dist='user_id',
    sort='played_at', on_schema_change='fail'
) }}
select user_id, level, played_at, loaded_at
from {{ ref('stg_events') }}
{% if is_incremental() %}
where loaded_at >= (select max(loaded_at) from {{ this }})
{% endif %}
