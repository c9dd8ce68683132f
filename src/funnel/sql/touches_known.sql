-- How many touches of each kind a lead had when it was judged: at its hand-over, or, where it was
-- not handed over, at the age by which most of the others were. `handed` is the place of the stage
-- of hand-over in the plan, from 1; 0 where no stage records it.
with entries as (
    select lead_id, entered_at as moment
    from stage_changes
    where $handed::integer > 0
        and list_position($stages::varchar[], stage) >= $handed::integer
    union all
    select lead_id, created_at from deals where $handed::integer > 0
    union all
    select lead_id, assigned_at from leads where $by_assignment::boolean
),

handed as (
    select lead_id, min(moment) as moment
    from entries
    where lead_id is not null and moment is not null
    group by lead_id
),

judged as (
    select
        leads.lead_id,
        greatest(
            leads.created_at,
            coalesce(
                handed.moment,
                leads.created_at + to_microseconds(($usual_days::double * 86400000000)::bigint)
            )
        ) as moment
    from leads left join handed using (lead_id)
)

select
    touches.lead_id,
    touches.kind,
    count(*) filter (where touches.occurred_at <= judged.moment) as n
from touches join judged using (lead_id)
group by touches.lead_id, touches.kind
order by touches.lead_id, touches.kind
