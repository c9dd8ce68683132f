-- One row per touch, unit after unit, in order of time. `step` is one number, since one number is
-- sorted in less time than three: microseconds since $first, times $codes, plus the channel's code;
-- its last bit says whether the lead was created after $immature_after (microseconds since 1970).
-- Touches of one moment stand in the order of their channels; `tied_touches` orders them by key.
select
    unit,
    ((moment - $first) * $codes + code) * 2
    + coalesce(is_immature, moment > $immature_after)::integer as step
from touches_by_unit
order by unit, step
