-- One row a touch of some moments: those in `size_ties`.
select lead_id, occurred_at, channel, touch_id
from touches
where occurred_at in (select make_timestamp(moment) from size_ties)
