-- over: journey_ends, journey_touches
-- One row a step of journeys ($collapse: a run of one channel is one step): days from the step
-- before, by position; from the first step to the end (0), and from the last step to it (-1). The
-- middle of them, the ranks that hold it ($z standard errors), and the middle half.
with kept as (
    select
        journey_id,
        position,
        occurred_at,
        channel,
        lag(channel) over (partition by journey_id order by position) as earlier
    from journey_touches
),

steps as (
    select
        journey_id,
        occurred_at,
        row_number() over (partition by journey_id order by position) as step,
        lag(occurred_at) over (partition by journey_id order by position) as previous_at
    from kept
    where not $collapse or earlier is null or earlier <> channel
),

whole as (
    select journey_id, min(occurred_at) as first_at, max(occurred_at) as last_at
    from steps
    group by journey_id
),

waits as (
    select
        step - 1 as step,
        date_diff('microsecond', previous_at, occurred_at) as microseconds
    from steps
    where step > 1 and step <= $most
    union all
    select 0, date_diff('microsecond', whole.first_at, journey_ends.milestone)
    from whole
    inner join journey_ends on whole.journey_id = journey_ends.journey_id
    union all
    select -1, date_diff('microsecond', whole.last_at, journey_ends.milestone)
    from whole
    inner join journey_ends on whole.journey_id = journey_ends.journey_id
),

gaps as (
    select step, microseconds / cast(86400000000 as double) as days from waits
),

ranked as (
    select
        step,
        days,
        row_number() over (partition by step order by days) as place,
        count(*) over (partition by step) as n
    from gaps
)

select
    step,
    n,
    max(case when place = ceil(0.5 * n) then days end) as median_days,
    max(case when place = greatest(1, floor(0.5 * n - 0.5 * $z * sqrt(n))) then days end)
        as median_days_low,
    max(case when place = least(n, ceil(0.5 * n + 0.5 * $z * sqrt(n)) + 1) then days end)
        as median_days_high,
    max(case when place = ceil(0.25 * n) then days end) as quarter_days,
    max(case when place = ceil(0.75 * n) then days end) as three_quarters_days
from ranked
group by step, n
order by step
