-- over: size_contacts
-- One row a touch, unit after unit, in the order it happened. Only numbers are sorted: touches of
-- one moment stand in the order of their channels, and `size_tied` puts those right.
select unit, epoch_us(moment) as moment, code, epoch_us(began_at) as began
from size_contacts
order by unit, moment, code
