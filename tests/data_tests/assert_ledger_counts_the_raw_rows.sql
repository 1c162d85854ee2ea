-- Each load has as many rows in its raw table as the ledger says. Otherwise
-- rows were deleted or inserted by hand.
{{ config(tags='weekly') }}

with

loads as (

    select * from {{ source('ledger', 'loads') }}

),

loaded_rows as (

    select
        cast('staging_events' as varchar(256)) as source_table,
        loaded_at,
        count(*) as row_count
    from {{ source('sparkify', 'staging_events') }}
    group by loaded_at

    union all

    select
        cast('staging_songs' as varchar(256)) as source_table,
        loaded_at,
        count(*) as row_count
    from {{ source('sparkify', 'staging_songs') }}
    group by loaded_at

)

select
    loads.load_id,
    loads.source_table,
    loads.row_count as rows_in_ledger,
    loaded_rows.row_count as rows_in_raw_table
from loads
full outer join loaded_rows
    on
        loads.source_table = loaded_rows.source_table
        and loads.loaded_at = loaded_rows.loaded_at
where
    coalesce(loads.row_count, 0) <> coalesce(loaded_rows.row_count, 0)
