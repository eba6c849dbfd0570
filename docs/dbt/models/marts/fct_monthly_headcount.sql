with recursive months as ( -- from the first snapshot to today

    select cast({{ dbt.date_trunc('month', 'min(dbt_valid_from)') }} as date) as month_start
    from {{ ref('awardco_users_history') }}

    union all

    select cast({{ dbt.dateadd('month', 1, 'month_start') }} as date)
    from months
    where month_start < cast({{ dbt.date_trunc('month', dbt.current_timestamp()) }} as date)

),

bounds as (

    select
        month_start,
        cast({{ dbt.dateadd('month', 1, 'month_start') }} as date) as next_month
    from months

)

select
    month_start,
    count(
        case
            when joined_on < next_month and (left_on is null or left_on >= next_month) then 1
        end
    ) as headcount,
    count(case when joined_on >= month_start and joined_on < next_month then 1 end) as joiners,
    count(case when left_on >= month_start and left_on < next_month then 1 end) as leavers
from bounds
cross join {{ ref('int_users_joined_and_left') }}
group by month_start
