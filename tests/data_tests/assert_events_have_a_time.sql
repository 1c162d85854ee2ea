-- An event before 1970 or after mid-2149 is left out of the star: its ts is
-- wrong. Both engines skip the blocks in which none is.
{{ config(severity='warn') }}

select
    userid,
    sessionid,
    iteminsession,
    ts,
    loaded_at
from {{ source('sparkify', 'staging_events') }}
where ts < 0 or ts > 5662310399999
