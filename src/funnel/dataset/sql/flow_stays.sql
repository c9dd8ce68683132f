-- One row per interval that a path spent in a stage: when and how it began and ended.
-- A path is a lead with its first deal, or any further deal; `unit` is what a resample draws as a
-- whole: a lead with all its deals. Without leads, or where no deal names one (n_leads is 0), it is
-- a deal. Deals that name no lead, where there
-- are leads, are in no path, nor are expansions and renewals: a lead that has no other deals leaves
-- with the last of these. Where only won deals are recorded, they arrive with their closing. A stage is left by the first exit
-- after its entry, or by the entry into the next stage, whichever comes first. What happened after
-- that is ignored, so that an old and a recent period are treated alike: a lead that comes back
-- after an exit is a new arrival in the stage that it enters.
with own as (
    select lead_id, created_at, row_number() over (order by lead_id) as unit from leads
    where $n_leads > 0
),
numbered as (
    select
        deals.*,
        own.unit,
        own.unit is not null and row_number() over (
            partition by own.unit order by deals.created_at, deals.deal_id
        ) = 1 as is_first
    from deals left join own using (lead_id)
    where coalesce(kind, 'new') = 'new' and (own.unit is not null or $n_leads = 0)
),
paths as (
    select
        case when is_first then unit
            else $n_leads + row_number() over (partition by is_first order by deal_id) end as path,
        coalesce(unit, path) as unit,
        is_first,
        created_at,
        closed_at,
        outcome,
        case $measure when 'bookings' then amount when 'mrr' then mrr else 1 end as value
    from numbered
),
entries as (
    select unit as path, 1 as stage, created_at as moment from own
    union all
    select own.unit, list_position($stages::varchar[], stage), entered_at
    from stage_changes join own using (lead_id)
    where list_position($stages::varchar[], stage) between 2 and $last_by_stage
    union all
    select path, $entry, case when $by_closing then closed_at else created_at end
    from paths where not is_first or $has_opportunity
    union all
    select path, $won, closed_at from paths where outcome = 'won'
),
-- a stage that was skipped counts as reached with the next one; so does one that was written up
-- later than the next, and a lead that was written up after its deal
firsts as (
    select path, stage, min(moment) as entered_at
    from (
        select
            path,
            unnest(range(
                case when path <= $n_leads then 1 else $entry end,
                stage + 1
            )) as stage,
            moment
        from entries
        where moment is not null
    )
    group by path, stage
),
stays as (
    select *, lead(entered_at) over (partition by path order by stage) as next_at from firsts
),
exits as (
    select own.unit as path, entered_at as moment
    from stage_changes join own using (lead_id)
    where list_contains($exits::varchar[], stage)
    union all
    select path, closed_at from paths where outcome = 'lost'
    union all
    select own.unit, max(closed_at)
    from deals join own using (lead_id)
    where closed_at is not null and lead_id not in (select lead_id from numbered)
    group by own.unit
),
left_by as (
    select stays.*, exits.moment as exit_at
    from stays asof left join exits
        on stays.path = exits.path and stays.entered_at <= exits.moment
),
judged as (
    select
        path,
        stage,
        entered_at,
        next_at is not null
        and (stage + 1 = $won or coalesce(exit_at >= next_at, true)) as is_advance,
        case when is_advance then next_at else exit_at end as left_at,
        stage = min(stage) over (partition by path)
        or not coalesce(lag(is_advance) over (partition by path order by stage), true) as is_source
    from left_by
    where stage < $won
)
select
    judged.path,
    coalesce(paths.unit, judged.path) as unit,
    (judged.stage - 1)::tinyint as stage,
    epoch(judged.entered_at) as entered,
    epoch(judged.left_at) as left_,
    judged.is_advance,
    judged.is_source,
    case when judged.stage + 1 = $won and judged.is_advance then paths.value end as value
from judged left join paths using (path)
where coalesce(epoch(judged.left_at) >= $since, true)
order by judged.path, judged.stage
