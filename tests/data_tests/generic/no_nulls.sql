{#
    None of the columns is null in any row. For tables that cannot declare them NOT NULL,
    which both engines enforce.
#}
{% test no_nulls(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
where {{ columns | join(' is null or ') }} is null

{% endtest %}
