-- One row a touch that may share its lead's moment with others: `size_ties` holds the moments in
-- question.
select
    hash(lead_id) as unit,
    epoch_us(occurred_at) as moment,
    channel,
    touch_id,
    lead_id
from touches
where occurred_at in (select make_timestamp(moment) from size_ties)
