-- One row per touch, as in `touches_in_order`, where the step does not fit into 63 bits.
select unit, moment, code, coalesce(is_immature, moment > $immature_after) as is_immature
from touches_by_unit
order by unit, moment, code
