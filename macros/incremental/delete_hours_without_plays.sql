{#
    Deletes the hours before the first play and after the last, once plays were deleted, in
    the incremental build of the model that calls it.
#}
{% macro delete_hours_without_plays() %}
    {%- if is_incremental() -%}
    {%- set hours = play_hours(this) -%}
    delete from {{ this }}
    where start_hour not between '{{ hours.first_hour }}' and '{{ hours.last_hour }}'
    {%- endif -%}
{% endmacro %}
