{#
    None of the columns has a null. For columns that cannot be declared NOT NULL.
#}
{% test no_nulls(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
where {{ columns | join(' is null or ') }} is null

{% endtest %}
