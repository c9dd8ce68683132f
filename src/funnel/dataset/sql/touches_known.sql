-- One row per lead and kind of touch: touches before the lead was qualified, which is at its
-- hand-off, or, where it was not handed over, at the age by which most of the others were. $handed_by names the stages that
-- hand a lead over, as '|sal|sql|'; nothing where no stage records it. A deal hands over, $by_deal.
with entries as (
    select lead_id, entered_at as moment
    from stage_changes
    where strpos($handed_by, '|' || stage || '|') > 0
    union all
    select lead_id, created_at from deals where $by_deal
    union all
    select lead_id, assigned_at from leads where $by_assignment
),

handed as (
    select lead_id, min(moment) as moment
    from entries
    where lead_id is not null and moment is not null
    group by lead_id
),

judged as (
    select leads.lead_id, leads.created_at, handed.moment
    from leads
    left join handed on leads.lead_id = handed.lead_id
),

known as (
    select
        touches.lead_id,
        touches.kind,
        case
            when judged.moment is not null
                then touches.occurred_at <= greatest(judged.created_at, judged.moment)
            else
                date_diff('microsecond', judged.created_at, touches.occurred_at)
                <= $usual_microseconds
        end as is_by_then
    from touches
    inner join judged on touches.lead_id = judged.lead_id
)

select lead_id, kind, sum(case when is_by_then then 1 else 0 end) as n
from known
group by lead_id, kind
order by lead_id, kind
