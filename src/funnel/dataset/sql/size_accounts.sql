-- One row an account that has a lead, numbered from 1.
select account_id, (row_number() over ())::uinteger as unit
from (select distinct account_id from leads where account_id is not null)
