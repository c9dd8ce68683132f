-- How each lead left, unless it came back; its deals; and how often it entered a stage again.
-- A lead that came back after an exit has not left: the exit is then `returned_from`.
-- A lead with an open deal has not left by losing another one, and winning a deal that was open
-- at the exit is no return. Expansions and renewals are no deals of a lead.
with new_deals as (
    select * from deals where coalesce(kind, 'new') = 'new'
),
moves as (
    select
        lead_id,
        entered_at as moved_at,
        stage,
        list_contains($exits::varchar[], stage) as is_exit,
        coalesce(list_position($stages::varchar[], stage), 0) as position
    from stage_changes
    where list_contains($exits::varchar[], stage) or list_contains($stages::varchar[], stage)
),
deal_moves as (
    select lead_id, created_at as moved_at, 'opportunity' as stage, false as is_exit
    from new_deals where lead_id is not null
    union all
    select lead_id, closed_at, 'deal won', false
    from new_deals where lead_id is not null and outcome = 'won'
    union all
    select lead_id, closed_at, 'lost', true
    from new_deals where lead_id is not null and outcome = 'lost'
),
every_move as (
    select lead_id, moved_at, stage, is_exit from moves
    union all
    select lead_id, moved_at, stage, is_exit from deal_moves
),
last_moves as (
    select
        lead_id,
        max(moved_at) filter (not is_exit) as entry_at,
        max(moved_at) filter (not is_exit and stage <> 'deal won') as back_at,
        max(moved_at) filter (is_exit) as exit_at,
        arg_max(stage, (moved_at, stage)) filter (is_exit) as exit_to
    from every_move where moved_at is not null group by lead_id
),
returns as (
    select every_move.lead_id, arg_max(stage, (moved_at, stage)) as returned_from
    from every_move join last_moves using (lead_id)
    where every_move.is_exit and every_move.moved_at < last_moves.back_at
    group by every_move.lead_id
),
repeats as (
    select lead_id, sum(n - 1) as n_repeats
    from (
        select lead_id, stage, count(*) as n from moves where position > 0 group by lead_id, stage
    )
    group by lead_id
),
deal_sums as (
    select
        lead_id,
        count(*) as n_deals,
        count(*) filter (outcome = 'open') as n_open,
        count(*) filter (outcome = 'won') as n_won,
        sum(amount) filter (outcome = 'won') as amount
    from new_deals where lead_id is not null group by lead_id
)
select
    leads.lead_id,
    case when last_moves.exit_at >= coalesce(last_moves.entry_at, last_moves.exit_at)
        and not (last_moves.exit_to = 'lost' and coalesce(deal_sums.n_open, 0) > 0)
        and coalesce(deal_sums.n_won, 0) = 0
        then last_moves.exit_at end as left_at,
    case when left_at is not null then last_moves.exit_to end as left_to,
    returns.returned_from,
    coalesce(repeats.n_repeats, 0)::integer as n_repeats,
    coalesce(deal_sums.n_deals, 0)::integer as n_deals,
    coalesce(deal_sums.n_won, 0)::integer as n_won,
    coalesce(deal_sums.amount, 0)::double as amount
from leads
left join last_moves using (lead_id)
left join returns using (lead_id)
left join repeats using (lead_id)
left join deal_sums using (lead_id)
order by leads.lead_id
