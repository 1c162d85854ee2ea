-- A play loaded lately without a user, or on another page than NextSong, is in
-- the raw table alone: a key or a page may have another name in the logs.
{{ config(severity='warn', fail_calc='coalesce(sum(play_count), 0)') }}

{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', source('ledger', 'loads'), days_before=3) %}

{{ left_out_plays(is_new) }}
