-- One row a touch that may share its unit's moment with others: `size_ties` holds the moments in
-- question.
select
    people.unit,
    epoch_us(touches.occurred_at) as moment,
    touches.channel,
    touches.touch_id,
    touches.lead_id
from touches
inner join size_people as people on touches.lead_id = people.lead_id
where touches.occurred_at in (select make_timestamp(moment) from size_ties)
