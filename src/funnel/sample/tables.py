"""Tables of a generated company: leads, deals, customers, spend, promotions and reps."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.sample.calendar import day_number
from funnel.sample.cells import dates, words
from funnel.sample.changed_rules import with_changed_rules
from funnel.sample.customers import lines_of, subscriptions
from funnel.sample.deals import deals_table, raw_deals
from funnel.sample.histories import activities_table, leads_table, stage_changes, touches_table
from funnel.sample.market import Draws, Leads, Promo, stream
from funnel.sample.pipeline import Pipeline, no_lead_deals, promotion_days
from funnel.sample.scenarios import Cause
from funnel.sample.team import RAMP_DAYS, Team
from funnel.sample.vocabulary import CAMPAIGN_NAMES, CHANNELS
from funnel.sample.world import World

Frames = dict[str, pd.DataFrame]

_COST_PER_LEAD = np.array([25.0, 95.0, 60.0, 160.0, 70.0, 45.0])


def world_of(
    draws: Draws,
    cause: Cause,
    start: float,
    end: float,
    leads: Leads,
    team: Team,
    pipeline: Pipeline,
) -> World:
    """Everything that happens in a company, from which its tables are made."""
    n = len(draws.created)
    window = day_number(draws.spec.start)
    is_shown = leads.is_there & (draws.calendar.local_day(draws.created) >= window)
    is_shown &= draws.created < end
    lead_ids = np.array([f"L{i:07d}" for i in range(1, n + 1)], dtype=object)
    other = no_lead_deals(draws, team, cause, start)
    raw = raw_deals(draws, cause, start, end, leads, pipeline, other)
    lines = lines_of(draws, cause, team, raw, len(other["opened"]), end)
    deals = deals_table(draws, end, team, raw, lines, lead_ids, is_shown)
    # rules that only change what is recorded come last, so that they cannot change a deal
    pipeline = with_changed_rules(draws, leads, pipeline, cause, start, end)
    return World(draws, cause, start, end, leads, team, pipeline, deals, lines, lead_ids, is_shown)


def tables_of(world: World) -> Frames:
    """Tables about leads, deals, customers, money and people."""
    leads = leads_table(world)
    return {
        "leads": leads,
        "stage_changes": stage_changes(world, leads),
        "deals": world.deals,
        "touches": touches_table(world),
        "activities": activities_table(world, leads),
        "spend": _spend(world),
        "promos": _promos(world),
        "reps": _reps(world),
        "subscriptions": subscriptions(world.draws, world.lines, world.end),
    }


def _spend(world: World) -> pd.DataFrame:
    """Money spent as planned, however many leads come: with fewer leads, each costs more."""
    draws = world.draws
    days = draws.calendar.days[: len(draws.intensity)]
    window = days >= day_number(draws.spec.start)
    planned = draws.intensity[window] * _COST_PER_LEAD
    planned = planned[:, :, None] * np.array([0.45, 0.33, 0.22])
    rng = stream(draws.spec.seed, "spend")
    amount = np.round(planned * np.exp(0.15 * rng.standard_normal(planned.shape)), 1)
    day, channel, campaign = np.meshgrid(days[window], np.arange(6), np.arange(3), indexing="ij")
    return pd.DataFrame(
        {
            "spent_on": dates(day.ravel()),
            "channel": words(CHANNELS, channel.ravel()),
            "amount": amount.ravel(),
            "campaign": words(CAMPAIGN_NAMES, (3 * channel + campaign).ravel()),
        }
    )


def _promos(world: World) -> pd.DataFrame:
    promos = world.draws.promos
    if world.cause.pulled:
        first, last = promotion_days(world.draws)
        promos = (*promos, Promo("quarter-end offer", first, last, None, 0.10, 8_000.0))
    channel = [None if p.channel is None else CHANNELS[p.channel] for p in promos]
    return pd.DataFrame(
        {
            "promo": pd.Series([p.name for p in promos], dtype="str"),
            "starts_on": dates(np.array([p.start for p in promos])),
            "ends_on": dates(np.array([p.end for p in promos])),
            "channel": pd.Series(channel, dtype="str"),
            "segment": pd.Series([None] * len(promos), dtype="str"),
            "discount": np.array([p.discount for p in promos]),
            "cost": np.array([p.cost for p in promos]),
        }
    )


def _reps(world: World) -> pd.DataFrame:
    team, spec = world.team, world.draws.spec
    rows = []
    teams = ("team one", "team two")
    for slot, (one, two) in enumerate(team.ids):
        left_at = team.left_at[slot]
        left_on = float(np.floor(left_at)) if left_at < world.end else np.inf
        first_left = team.first_left[slot]
        has_second = first_left < day_number(spec.end)
        rows.append(
            (one, team.first_started[slot], first_left if has_second else left_on, teams[slot % 2])
        )
        if has_second:
            rows.append((two, team.second_from[slot], left_on, teams[slot % 2]))
    return pd.DataFrame(
        {
            "owner": pd.Series([row[0] for row in rows], dtype="str"),
            "started_on": dates(np.array([row[1] for row in rows])),
            "left_on": dates(np.array([row[2] for row in rows], float)),
            "team": pd.Series([row[3] for row in rows], dtype="str"),
            "quota": team.quota,
            "ramp_days": float(RAMP_DAYS),
        }
    )
