-- over: journey_ends, null_steps, size_channels
-- The same ways as `null_paths`, in numbers: a path is the codes of its channels, from
-- `size_channels`, in order, five digits each.
with codes as (
    select distinct channel, code from size_channels
),

walked as (
    select
        null_steps.unit_is,
        null_steps.id,
        string_agg(
            lpad(cast(codes.code as varchar), 5, '0'), '' order by null_steps.position
        ) as path
    from null_steps
    inner join codes on null_steps.channel = codes.channel
    group by null_steps.unit_is, null_steps.id
)

select path, count(*) as nulls
from walked
group by path
