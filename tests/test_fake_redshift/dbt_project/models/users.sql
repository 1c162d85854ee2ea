{{ config(materialized='table', dist='all', sort='user_id', grants={'select': ['reader']}) }}
select
    user_id,
    max(played_at) as last_played_at,
    listagg(level, ',') within group (order by played_at) as levels
from {{ ref('plays') }}
group by user_id
