-- Neither an event that is loaded twice nor a song that the catalog has twice
-- doubles a play. Compares the columns behind the hash, not the hash.
{{ config(tags='weekly') }}

select
    user_id,
    session_id,
    item_in_session,
    start_time,
    count(*) as play_count
from {{ ref('fct_songplays') }}
group by user_id, session_id, item_in_session, start_time
having count(*) > 1
