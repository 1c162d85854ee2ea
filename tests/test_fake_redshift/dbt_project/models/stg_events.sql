{{ config(bind=false) }}
select user_id, level, played_at, loaded_at from {{ source('raw', 'events') }}
