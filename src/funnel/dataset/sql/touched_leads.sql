-- Leads by local day of creation and channel: how many, how many without a touch up to the day
-- after, and how many without a touch through their own channel.
with days as (
    select
        lead_id,
        channel,
        created_at,
        cast((created_at at time zone 'UTC') at time zone $zone as date) as day
    from leads
),

touched as (
    select
        days.lead_id,
        max(case when touches.channel = days.channel then 1 else 0 end) as has_own
    from touches
    inner join days on touches.lead_id = days.lead_id
    where touches.occurred_at <= days.created_at + interval '1 day'
    group by days.lead_id
)

select
    cast(days.day as timestamp) as day,
    days.channel,
    count(*) as n,
    sum(case when touched.lead_id is null then 1 else 0 end) as n_without,
    sum(coalesce(1 - touched.has_own, 1)) as n_without_own
from days
left join touched on days.lead_id = touched.lead_id
group by days.day, days.channel
order by days.day, days.channel
