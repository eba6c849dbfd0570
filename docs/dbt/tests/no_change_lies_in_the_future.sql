select employee_id, updated_at
from {{ ref('stg_awardco__users') }}
where {{ dbt.datediff('last_seen_at', 'updated_at', 'day') }} > 1
