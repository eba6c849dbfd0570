with months as (

    select *, lag(headcount) over (order by month_start) as headcount_before
    from {{ ref('fct_monthly_headcount') }}

)

select *
from months
where headcount <> headcount_before + joiners - leavers
