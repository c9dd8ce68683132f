-- One row a channel, numbered from 0 in the order of their names, which hold no arrow.
with names as (
    select distinct channel as given
    from touches
    where not $from_leads
    union
    select distinct channel from leads where $from_leads
),

shown as (
    select given, replace(coalesce(given, '(blank)'), ' > ', '>') as channel from names
)

select given, channel, (dense_rank() over (order by channel) - 1)::smallint as code from shown
