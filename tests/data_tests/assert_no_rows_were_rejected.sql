-- The star lacks the rows that `load_staging.py --max-errors` kept aside, until
-- their file is corrected and loaded again with --reload.
{{ config(severity='warn') }}

select
    load_id,
    source_table,
    file_name,
    line_number,
    column_name,
    reason
from {{ source('ledger', 'rejected_rows') }}

union all

-- Loads by an earlier version of the loader, which did not count them.
select
    load_id,
    source_table,
    cast(null as varchar(2048)) as file_name,
    cast(null as bigint) as line_number,
    cast(null as varchar(256)) as column_name,
    cast('not counted when it was loaded' as varchar(1024)) as reason
from {{ source('ledger', 'loads') }}
where rejected_count is null
