-- One row per touch of a lead: the number of the lead's account, or its own (`lead_units`).
select
    people.unit,
    epoch_us(contacts.occurred_at) as moment,
    channels.code,
    people.is_immature,
    contacts.touch_id,
    contacts.lead_id,
    contacts.channel
from contacts
inner join channel_codes as channels on contacts.channel is not distinct from channels.given
inner join lead_units as people on contacts.lead_id = people.lead_id
