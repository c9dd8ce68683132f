-- When each lead first entered each stage: from stage changes, and from deals for the
-- opportunity and the win. `position` counts the plan's stages from 1; 0 is no stage of the plan.
-- Expansions and renewals are no deals of a lead.
with new_deals as (
    select * from deals where coalesce(kind, 'new') = 'new'
),
entries as (
    select lead_id, list_position($stages::varchar[], stage) as position, entered_at as at
    from stage_changes
    union all
    select lead_id, $opportunity::integer, created_at from new_deals
    union all
    select lead_id, $won::integer, closed_at from new_deals where outcome = 'won'
)
select
    entries.lead_id,
    entries.position,
    min(entries.at) as first_at
from entries join leads using (lead_id)
where entries.position > 0 and entries.at is not null
group by entries.lead_id, entries.position
order by entries.lead_id, entries.position
