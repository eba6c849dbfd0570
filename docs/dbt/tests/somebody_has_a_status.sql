-- If Awardco stops sending it, everybody who is archived becomes active again.
select count(*) as users
from {{ ref('stg_awardco__users') }}
where not is_deleted
having count(*) > 0
    and count(status) = 0
    and {{ 'status' in types_of_columns(source('awardco', 'user')) }} -- false for a tenant without it
