-- One row per touch. Where no touches are supplied ($from_leads), one row per lead: its own channel
-- at the moment it was created.
-- not materialized
select lead_id, account_id, occurred_at, channel, touch_id
from touches
where not $from_leads
union all
select lead_id, account_id, created_at as occurred_at, channel, null as touch_id
from leads
where $from_leads
