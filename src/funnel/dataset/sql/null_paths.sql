-- over: journey_ends, null_steps
-- One row a path that has not (yet) reached the end: the channels of an account's touches in order
-- (of a lead's, where it belongs to no account or journeys are kept by lead), how many went that
-- way, and how many of those began after $young_after.
with runs as (
    select
        unit_is,
        id,
        channel,
        began_at,
        position,
        lag(channel) over (partition by unit_is, id order by position) as earlier
    from null_steps
),

walked as (
    select
        unit_is,
        id,
        string_agg(channel, ' > ' order by position) as path,
        min(began_at) as began_at
    from runs
    where not $collapse or earlier is null or earlier <> channel
    group by unit_is, id
)

select
    path,
    count(*) as nulls,
    sum(case when began_at > $young_after then 1 else 0 end) as n_young
from walked
group by path
order by nulls desc, path
