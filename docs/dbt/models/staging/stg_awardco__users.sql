{% set types = types_of_columns(source('awardco', 'user')) %}

with users as (

    select
        employee_id,
        first_name,
        last_name,
        lower(email) as email,
        {{ text_or_null(types, var('department_column')) }} as department,
        {{ text_or_null(types, var('manager_column')) }} as manager_id,
        lower({{ text_or_null(types, 'status') }}) as status,
        {{ date_or_null(types, 'hire_date') }} as hire_date,
        {{ date_or_null(types, 'archived_date') }} as archived_date,
        {{ column_or_null(types, 'balance', dbt.type_float()) }} as balance,
        {{ column_or_null(types, 'currency_code', dbt.type_string()) }} as currency_code,
        created_at,
        {{ column_or_null(types, 'updated_at', dbt.type_timestamp()) }} as updated_at,
        coalesce(_fivetran_deleted, false) as is_deleted,
        _fivetran_synced as last_seen_at
    from {{ source('awardco', 'user') }}

)

select
    *,
    not is_deleted and coalesce(status, 'active') <> 'archived' as is_active
from users
