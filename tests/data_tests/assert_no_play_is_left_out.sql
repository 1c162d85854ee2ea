-- The star leaves out plays without a user and songs on other pages.
{{
    config(
        severity='warn',
        fail_calc='coalesce(sum(play_count), 0)',
        tags='weekly',
    )
}}

{{ left_out_plays() }}
