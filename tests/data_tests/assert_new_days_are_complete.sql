-- No file of the last week is missing: no day has far fewer sessions than the
-- same weekday, or fewer files than usual. Compares with four weeks before.
{{ config(severity='warn') }}

{{ incomplete_days(
    since=watermark('start_hour', ref('dim_time'), days_before=36), days=7
) }}
