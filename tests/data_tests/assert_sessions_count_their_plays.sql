-- Each session counts exactly the plays that the fact has for it.
{{ config(tags='weekly') }}

with

songplays as (

    select
        user_id,
        session_id,
        count(*) as play_count

    from {{ ref('fct_songplays') }}

    group by user_id, session_id

),

sessions as (

    select * from {{ ref('fct_sessions') }}

)

select
    songplays.user_id,
    songplays.session_id,
    songplays.play_count,
    sessions.user_id as user_id_of_session,
    sessions.session_id as session_id_of_session,
    sessions.play_count as play_count_of_session
from songplays
full outer join sessions
    on
        songplays.user_id = sessions.user_id
        and songplays.session_id = sessions.session_id
where coalesce(songplays.play_count, 0) <> coalesce(sessions.play_count, -1)
