-- over: size_contacts
-- The same for units that have touches of one moment, which stand in the order of their key, then
-- of their lead.
select size_contacts.unit, epoch_us(moment) as moment, code, epoch_us(began_at) as began
from size_contacts
where unit in (select unit from size_ties)
order by unit, size_contacts.moment, touch_id nulls last, lead_id nulls last, code
