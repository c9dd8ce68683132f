-- One row per account of a lead or ($touches_name_accounts) of a touch: its number, from 1.
select account_id, (row_number() over ())::uinteger as unit
from (
    select account_id from leads where $by_account
    union
    select account_id from touches where $by_account and $touches_name_accounts
)
where account_id is not null
