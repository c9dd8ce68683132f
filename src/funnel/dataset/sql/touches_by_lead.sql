-- One row per touch of a lead. The lead is a hash of its key, so that no key is looked up.
select
    hash(contacts.lead_id) as unit,
    epoch_us(contacts.occurred_at) as moment,
    channels.code,
    false as is_immature,
    contacts.touch_id,
    contacts.lead_id,
    contacts.channel
from contacts
inner join channel_codes as channels on contacts.channel is not distinct from channels.given
where contacts.lead_id is not null
