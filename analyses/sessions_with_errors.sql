-- Question: do errors end sessions early?
-- One row per kind of session, with an error and without.
-- Caveats: few sessions have an error, and long ones are more likely to.

with

sessions as (

    select * from {{ ref('fct_sessions') }}

)

select
    cast(
        case when has_error then 'error' else 'no error' end as varchar(8)
    ) as kind,
    count(*) as session_count,
    avg(cast(play_count as double precision)) as mean_play_count,
    sum(case when has_logout then 1 else 0 end) as logout_count
from sessions
group by case when has_error then 'error' else 'no error' end
order by kind
