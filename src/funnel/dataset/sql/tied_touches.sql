-- One row per touch that shares its unit's moment with others, in the order of their keys; without
-- one, of their leads, then of their channels: by their full name where the journey converted.
-- `tied_moments` holds these moments.
select
    touches.code,
    touches.touch_id is not null as has_key
from touches_by_unit as touches
inner join tied_moments as ties on touches.unit = ties.unit and touches.moment = ties.moment
order by
    ties.has_converted,
    ties.unit,
    ties.moment,
    touches.touch_id nulls last,
    touches.lead_id nulls last,
    case when ties.has_converted then touches.channel end,
    touches.code
