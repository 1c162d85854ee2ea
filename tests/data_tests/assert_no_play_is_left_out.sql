-- A play without a user, or on another page than NextSong, is in the raw table
-- alone.
{{
    config(
        severity='warn',
        fail_calc='coalesce(sum(play_count), 0)',
        tags='weekly',
    )
}}

{{ left_out_plays() }}
