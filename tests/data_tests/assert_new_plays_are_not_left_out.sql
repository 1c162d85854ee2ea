-- The star leaves out plays without a user and songs on other pages. If recent
-- ones turn up, the logs may have renamed a key or a page.
{{ config(severity='warn', fail_calc='coalesce(sum(play_count), 0)') }}

{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', source('ledger', 'loads'), days_before=3) %}

{{ left_out_plays(is_new) }}
