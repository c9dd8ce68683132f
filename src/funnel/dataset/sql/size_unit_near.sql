-- One row a touch in `size_moments`, and its unit, from `size_people`.
select
    people.unit,
    epoch_us(near.occurred_at) as moment,
    near.channel,
    near.touch_id,
    near.lead_id
from size_moments as near
inner join size_people as people on near.lead_id = people.lead_id
