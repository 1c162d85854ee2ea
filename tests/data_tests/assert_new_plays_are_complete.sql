-- Nearly every recent play has each of these values. If more than one in twenty
-- lacks one, the logs may have renamed the key.
{{ config(severity='warn') }}

{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', source('ledger', 'loads'), days_before=3) %}
{% set columns = [
    'song_title',
    'artist_name',
    'song_length',
    'level',
    'first_name',
    'last_name',
    'gender',
    'location',
    'registered_at',
    'user_agent',
] %}

with

plays as (

    select
        count(*) as play_count,
        {% for column in columns %}
        count({{ column }}) as {{ column }},
        {% endfor %}
        min(loaded_at) as loaded_since
    from {{ ref('stg_events') }}
    where page = 'NextSong' and {{ is_new }}

)

{% for column in columns %}
select
    cast('{{ column }}' as varchar(32)) as column_name,
    play_count - {{ column }} as lacking_count,
    play_count,
    loaded_since
from plays
where {{ column }} < 0.95 * play_count
{% if not loop.last %}

union all

{% endif %}
{% endfor %}
