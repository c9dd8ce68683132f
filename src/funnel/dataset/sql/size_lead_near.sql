-- One row a touch in `size_moments`, and its unit: its lead, as a hash.
select
    hash(lead_id) as unit,
    epoch_us(occurred_at) as moment,
    channel,
    touch_id,
    lead_id
from size_moments
