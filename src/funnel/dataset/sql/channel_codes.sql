-- over: contacts
-- One row per channel as recorded: the name shown (no arrow within, and none of the labels for
-- deals without a path and for small paths) and its code, which numbers the names shown from 0 in
-- alphabetical order.
with named as (
    select
        given,
        case when given in ('(not traced)', '(other paths)') then 'channel: ' else '' end
        || replace(coalesce(given, $not_recorded), ' > ', '>') as channel
    from (select distinct channel as given from contacts)
)

select given, channel, (dense_rank() over (order by channel) - 1)::integer as code from named
