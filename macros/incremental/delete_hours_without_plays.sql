{#
    In an incremental build, deletes the hours before the first play and after the last,
    which exist once plays were deleted.
#}
{% macro delete_hours_without_plays() %}
    {%- if is_incremental() -%}
    {%- set hours = play_hours(this) -%}
    delete from {{ this }}
    where start_hour not between '{{ hours.first_hour }}' and '{{ hours.last_hour }}'
    {%- endif -%}
{% endmacro %}
