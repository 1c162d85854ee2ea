-- No file of the history is missing: no day has far fewer sessions than the
-- same weekday, or fewer files than usual. List holidays under quiet_days.
{{ config(severity='warn', tags='weekly') }}

{{ incomplete_days() }}
