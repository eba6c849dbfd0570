select
    employee_id,
    first_name,
    last_name,
    email,
    department,
    manager_id,
    hire_date,
    balance,
    currency_code
from {{ ref('stg_awardco__users') }}
where is_active
