select l.level, l.is_paid, count(p.user_id) as plays
from {{ ref('levels') }} as l
left join {{ ref('plays') }} as p on p.level = l.level
group by l.level, l.is_paid
