-- Each recent load has as many rows in its raw table as the ledger says.
{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', source('ledger', 'loads'), days_before=3) %}

with

loads as (

    select * from {{ source('ledger', 'loads') }}

    where {{ is_new }}

),

loaded_rows as (

    select
        cast('staging_events' as varchar(256)) as source_table,
        loaded_at
    from {{ source('sparkify', 'staging_events') }}
    where {{ is_new }}

    union all

    select
        cast('staging_songs' as varchar(256)) as source_table,
        loaded_at
    from {{ source('sparkify', 'staging_songs') }}
    where {{ is_new }}

)

select
    loads.load_id,
    loads.row_count as rows_in_ledger,
    count(loaded_rows.loaded_at) as rows_in_raw_table
from loads
full outer join loaded_rows
    on
        loads.source_table = loaded_rows.source_table
        and loads.loaded_at = loaded_rows.loaded_at
group by loads.load_id, loads.row_count
having coalesce(loads.row_count, 0) <> count(loaded_rows.loaded_at)
