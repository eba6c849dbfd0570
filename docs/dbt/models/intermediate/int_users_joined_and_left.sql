with versions as (

    select
        employee_id,
        hire_date,
        archived_date,
        is_active,
        cast(dbt_valid_from as date) as seen_on,
        dbt_valid_from,
        lag(is_active) over (partition by employee_id order by dbt_valid_from) as was_active
    from {{ ref('awardco_users_history') }}

),

changes as ( -- for each user: came, left, came back, left

    select
        *,
        row_number() over (partition by employee_id order by dbt_valid_from) as change_number,
        lead(seen_on) over (partition by employee_id order by dbt_valid_from) as next_seen_on,
        lead(archived_date) over (partition by employee_id order by dbt_valid_from) as archived_on
    from versions
    where is_active <> coalesce(was_active, false)

),

periods as (

    select
        employee_id,
        case when change_number = 1 then coalesce(hire_date, seen_on) else seen_on end
            as joined_on,
        next_seen_on,
        archived_on
    from changes
    where is_active

),

dated as (

    select
        employee_id,
        joined_on,
        case when archived_on >= joined_on then archived_on else next_seen_on end as left_on
    from periods

)

select *
from dated
where left_on is null or left_on >= joined_on -- not who was gone before the day of hire
