-- Nearly every recent song has each of these values. If more than one in twenty
-- lacks one, the catalog may have renamed the key.
{{ config(severity='warn') }}

{% set is_new = 'loaded_at > '
    ~ watermark('loaded_at', source('ledger', 'loads'), days_before=3) %}
{% set columns = ['title', 'artist_name', 'duration'] %}

with

songs as (

    select
        count(*) as song_count,
        {% for column in columns %}
        count({{ column }}) as {{ column }},
        {% endfor %}
        min(loaded_at) as loaded_since
    from {{ ref('stg_songs') }}
    where {{ is_new }}

)

{% for column in columns %}
select
    cast('{{ column }}' as varchar(32)) as column_name,
    song_count - {{ column }} as lacking_count,
    song_count,
    loaded_since
from songs
where {{ column }} < 0.95 * song_count
{% if not loop.last %}

union all

{% endif %}
{% endfor %}
