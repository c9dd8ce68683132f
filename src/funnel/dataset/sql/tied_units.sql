-- One row per touch of the units in `tied_unit_numbers`, unit after unit in order of time; touches
-- of one moment in the order of their keys, then of their leads, then of their channels.
select unit, moment, code, coalesce(is_immature, moment > $immature_after) as is_immature
from touches_by_unit
where unit in (select unit from tied_unit_numbers)
order by unit, moment, touch_id nulls last, lead_id nulls last, code
