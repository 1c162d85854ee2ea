{{ config(materialized='incremental', incremental_strategy='merge', unique_key='user_id') }}
select user_id, last_played_at from {{ ref('users') }}
