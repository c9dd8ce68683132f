-- One row per touch: the number of the account that it names, else that of its lead (`lead_units`).
select
    coalesce(accounts.unit, people.unit) as unit,
    epoch_us(contacts.occurred_at) as moment,
    channels.code,
    people.is_immature,
    contacts.touch_id,
    contacts.lead_id,
    contacts.channel
from contacts
inner join channel_codes as channels on contacts.channel is not distinct from channels.given
left join lead_units as people on contacts.lead_id = people.lead_id
left join account_units as accounts on contacts.account_id = accounts.account_id
where coalesce(accounts.unit, people.unit) is not null
