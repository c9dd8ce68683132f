"""The fourteen tables of a world, as the company's systems would hold them on the last day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from funnel.sample.calendar import Floats, Ints, day_number
from funnel.sample.cells import dates, times, words
from funnel.sample.customers import Line, lines_of, subscriptions
from funnel.sample.market import (
    CAMPAIGNS,
    CHANNELS,
    FUNCTIONS,
    INDUSTRIES,
    REGIONS,
    SCORE_BAR,
    SENIORITIES,
    SOCIAL,
    WEB,
    Draws,
    Leads,
    stream,
)
from funnel.sample.pipeline import EXITS, STAGES, Pipeline, grade_of, no_lead_deals
from funnel.sample.scenarios import Cause
from funnel.sample.team import RAMP_DAYS, Team

Frames = dict[str, pd.DataFrame]

REASONS = {  # by exit: the company's words, and how often each is given
    "rejected": (
        ("wrong company type", "too small", "no reply", "not interested", "duplicate"),
        (0.28, 0.22, 0.26, 0.17, 0.07),
    ),
    "recycled": (
        ("no budget this year", "not the decision maker", "no need seen", "not interested"),
        (0.34, 0.22, 0.24, 0.20),
    ),
    "disqualified": (
        ("wrong company type", "too small", "wrong contact", "student or supplier"),
        (0.32, 0.34, 0.18, 0.16),
    ),
    "lost": (
        ("price", "lost to competitor", "no decision", "missing feature", "sponsor left"),
        (0.27, 0.25, 0.26, 0.14, 0.08),
    ),
}
COMPETITORS = ("Northwind", "Contoso", "Fabrikam", "Tailspin")
PRODUCTS = ("Starter", "Team", "Enterprise")
CONTENTS = ("home page", "price page", "guide", "case study", "webinar", "newsletter", "fair stand")
_REASON_FILLED = {"rejected": 0.92, "recycled": 0.75, "disqualified": 0.85, "lost": 0.70}
_COST_PER_LEAD = np.array([25.0, 95.0, 60.0, 160.0, 70.0, 45.0])
_EARLIER = np.array(  # channel of an earlier touch, by the lead's channel; last: direct, e-mail
    [
        [0.42, 0.16, 0.08, 0.04, 0.03, 0.02, 0.15, 0.10],
        [0.22, 0.40, 0.10, 0.03, 0.02, 0.02, 0.13, 0.08],
        [0.14, 0.10, 0.52, 0.03, 0.01, 0.01, 0.12, 0.07],
        [0.18, 0.07, 0.08, 0.35, 0.05, 0.05, 0.08, 0.14],
        [0.15, 0.06, 0.03, 0.12, 0.44, 0.02, 0.12, 0.06],
        [0.14, 0.06, 0.08, 0.14, 0.03, 0.35, 0.06, 0.14],
    ]
)
_TOUCH_CHANNELS = (*CHANNELS, "direct", "email")
_DIRECT, _EMAIL = 6, 7


@dataclass(frozen=True)
class World:
    """Everything that happens with one cause; a company without it is another world."""

    draws: Draws
    cause: Cause
    start: float
    end: float
    leads: Leads
    team: Team
    pipeline: Pipeline
    deals: pd.DataFrame
    lines: Line
    lead_ids: np.ndarray
    is_shown: np.ndarray


def world_of(
    draws: Draws, cause: Cause, start: float, end: float, leads: Leads, team: Team, walks: Pipeline
) -> World:
    """Close the books on deals and customers; the other tables are made from the result."""
    n = len(draws.created)
    window = day_number(draws.spec.start)
    is_shown = leads.is_there & (draws.calendar.local_day(draws.created) >= window)
    is_shown &= draws.created < end
    lead_ids = np.array([f"L{i:07d}" for i in range(1, n + 1)], dtype=object)
    other = no_lead_deals(draws, team, cause, start)
    raw = _raw_deals(draws, cause, start, end, leads, walks, other)
    lines = lines_of(draws, cause, team, raw, len(other["opened"]), end)
    deals = _deals(draws, cause, end, team, raw, lines, lead_ids, is_shown)
    return World(draws, cause, start, end, leads, team, walks, deals, lines, lead_ids, is_shown)


def tables_of(world: World) -> Frames:
    """Write up the tables that speak of leads, deals, customers, money and people."""
    leads = _leads(world)
    return {
        "leads": leads,
        "stage_changes": _stage_changes(world, leads),
        "deals": world.deals,
        "touches": _touches(world),
        "activities": _activities(world, leads),
        "spend": _spend(world),
        "promos": _promos(world),
        "reps": _reps(world),
        "subscriptions": subscriptions(world.draws, world.lines, world.end),
    }


def _known(values: Floats, end: float) -> Floats:
    """Forget what happens after the last day."""
    return np.where(values < end, values, np.inf)


def _leads(world: World) -> pd.DataFrame:
    draws, leads, walk = world.draws, world.leads, world.pipeline.first
    shown = np.flatnonzero(world.is_shown)
    channel = leads.channel[shown]
    assigned = _known(walk.assigned[shown], world.end)
    has_owner = np.isfinite(assigned)
    holder = world.team.holder(
        world.pipeline.slot[shown], np.where(has_owner, assigned, draws.created[shown])
    )
    campaign = np.floor(draws.uniform("campaign")[shown] * 3).astype(int)
    blind = draws.uniform("blind")[shown]
    named = np.where(draws.uniform("channel filled")[shown] < 0.97, channel, -1)
    is_lost = (
        np.isin(channel, WEB) & (draws.created[shown] >= world.start) & (blind < world.cause.blind)
    )
    # Lost ones become direct, unknown or nothing at all, a third each.
    lost_as = np.array([6, 7, -1])[
        np.floor(3 * blind / max(world.cause.blind, 1e-9)).astype(int) % 3
    ]
    named = np.where(is_lost, lost_as, named)
    names = np.array([c for channel in CAMPAIGNS for c in channel], dtype=object)
    no_campaign = is_lost | (draws.uniform("campaign filled")[shown] < 0.12)
    filled = draws.uniform("revenue filled")[shown] < 0.88
    return pd.DataFrame(
        {
            "lead_id": pd.Series(world.lead_ids[shown], dtype="str"),
            "created_at": times(draws.created[shown]),
            "account_id": pd.Series(_account_ids(draws.account[shown]), dtype="str"),
            "channel": words((*CHANNELS, "direct", "unknown"), named),
            "campaign": words(names, np.where(no_campaign, -1, 3 * channel + campaign)),
            "motion": words(("inbound", "outbound"), (channel == 5).astype(int)),
            "region": words(REGIONS, leads.region[shown]),
            "industry": words(INDUSTRIES, leads.industry[shown]),
            "employees": leads.employees[shown],
            "annual_revenue": np.where(filled, leads.revenue[shown], np.nan),
            "seniority": words(SENIORITIES, leads.seniority[shown]),
            "job_function": words(FUNCTIONS, leads.function[shown]),
            "score": leads.score[shown],
            "grade": words(("A", "B", "C", "D"), grade_of(leads.score[shown])),
            "assigned_at": times(assigned),
            "owner": words(world.team.owners, np.where(has_owner, holder, -1)),
            "email": pd.Series([f"person{i + 1}@example.com" for i in shown], dtype="str"),
        }
    )


def _account_ids(account: Ints) -> np.ndarray:
    return np.array([f"A{i + 1:06d}" for i in account], dtype=object)


def _raw_deals(
    draws: Draws,
    cause: Cause,
    start: float,
    end: float,
    leads: Leads,
    walks: Pipeline,
    other: dict[str, np.ndarray],
) -> pd.DataFrame:
    """Deals as they happen, from leads and without, with what chance says of their size."""
    n = len(draws.created)
    price, terms = draws.normal("price"), draws.uniform("terms")
    parts = []
    for walk in (walks.first, walks.second):
        lead = np.flatnonzero(np.isfinite(walk.opportunity) & (walk.opportunity < end))
        parts.append(
            pd.DataFrame(
                {
                    "lead": lead,
                    "account": draws.account[lead],
                    "opened": walk.opportunity[lead],
                    "closed": walk.closed[lead],
                    "is_won": walk.is_won[lead].astype(bool),
                    "slot": walks.slot[lead],
                    "employees": leads.employees[lead],
                    "price": price[lead],
                    "terms": terms[lead],
                }
            )
        )
    # A lead can come back and open a second deal only after it left the first way: never two.
    rng = stream(draws.spec.seed, "no lead price")
    m = len(other["opened"])
    extra = pd.DataFrame(
        {
            "lead": -1,
            "account": n + np.arange(m),
            **other,
            "price": rng.standard_normal(m),
            "terms": rng.random(m),
        }
    )
    deals = pd.concat([*parts, extra[extra["opened"] < end]], ignore_index=True)
    deals["is_lead_born"] = deals["lead"] >= 0
    mrr = 118 * np.sqrt(deals["employees"]) * np.exp(0.5 * deals["price"])
    lowered = deals["is_won"] & (deals["closed"] >= start)
    mrr = mrr * np.where(lowered, cause.size, 1.0)
    deals["mrr"] = mrr.round(2)
    years = np.where(deals["terms"] < 0.12, 24, 12)
    deals["amount"] = (deals["mrr"] * years).round(2)
    deals["kind"] = "new"
    if cause.whale:
        baseline = draws.spec.comparison.baseline
        days = draws.calendar.local_day(deals["closed"].to_numpy())
        inside = (days >= day_number(baseline.start)) & (days <= day_number(baseline.end))
        won = deals[inside & deals["is_won"] & deals["is_lead_born"]]
        if len(won):
            largest = won["employees"].idxmax()
            amount = cause.whale * won["amount"].drop(largest).sum()
            deals.loc[largest, "amount"] = round(amount, 2)
            deals.loc[largest, "mrr"] = round(amount / 12, 2)
    return deals


def _deals(draws, cause, end, team, raw, lines, lead_ids, is_shown) -> pd.DataFrame:
    deals = pd.concat([raw, lines.deals], ignore_index=True)
    deals = deals.sort_values(["opened", "lead", "account"], kind="stable", ignore_index=True)
    deals["deal_id"] = [f"D{i + 1:06d}" for i in range(len(deals))]
    first = draws.calendar.utc(np.array([float(day_number(draws.spec.start))]))[0]
    deals = deals[deals["closed"] >= first].reset_index(drop=True)
    rng = stream(draws.spec.seed, "deal fields")
    fields = rng.random((len(raw) + len(lines.deals) + 4096, 5))
    pick = fields[np.arange(len(deals))]
    is_closed = (deals["closed"] < end).to_numpy()
    is_lost = is_closed & ~deals["is_won"].to_numpy()
    lead = deals["lead"].to_numpy()
    # Leads from before the window are in no table, so neither is the way to them.
    is_known = (lead >= 0) & is_shown[np.maximum(lead, 0)]
    names, shares = REASONS["lost"]
    reason = np.searchsorted(np.cumsum(shares)[:-1], pick[:, 0])
    reason_filled = is_lost & (pick[:, 1] < _REASON_FILLED["lost"])
    to_competitor = is_lost & (reason == 1)
    named = pick[:, 2] < np.where(to_competitor, 0.8, 0.25)
    size = deals["employees"].to_numpy()
    empty = is_lost & (pick[:, 4] < 0.05)
    holder = team.holder(
        deals["slot"].to_numpy(), np.where(is_closed, deals["closed"], deals["opened"])
    )
    return pd.DataFrame(
        {
            "deal_id": deals["deal_id"].astype("str"),
            "created_at": times(deals["opened"].to_numpy()),
            "outcome": words(
                ("open", "won", "lost"), np.where(is_closed, np.where(deals["is_won"], 1, 2), 0)
            ),
            "lead_id": words(lead_ids, np.where(is_known, lead, -1)),
            "account_id": pd.Series(_account_ids(deals["account"].to_numpy()), dtype="str"),
            "account_name": pd.Series(
                [f"Company {a + 1} Example" for a in deals["account"]], dtype="str"
            ),
            "closed_at": times(_known(deals["closed"].to_numpy(), end)),
            "amount": np.where(empty, np.nan, deals["amount"]),
            "mrr": np.where(empty, np.nan, deals["mrr"]),
            "owner": words(team.owners, holder),
            "kind": deals["kind"].astype("str"),
            "loss_reason": words(names, np.where(reason_filled, reason, -1)),
            "competitor": words(
                COMPETITORS,
                np.where(is_closed & named, np.floor(pick[:, 3] * 4).astype(int), -1),
            ),
            "product": words(PRODUCTS, (size >= 50).astype(int) + (size >= 500)),
        }
    )


def _stage_changes(world: World, leads: pd.DataFrame) -> pd.DataFrame:
    pipeline, seed = world.pipeline, world.draws.spec.seed
    n = len(world.lead_ids)
    parts: list[tuple[Ints, str, Floats]] = []
    reject = world.draws.uniform("reject")
    gate = world.draws.uniform("skips")
    for walk in (pipeline.first, pipeline.second):
        for place, stage in enumerate(STAGES[1:], start=1):
            entered = (walk.mql, walk.sal, walk.sql, walk.opportunity)[place - 1]
            # Some entries are never written down when the lead moved on at once.
            following = (walk.sal, walk.sql, walk.opportunity, walk.closed)[place - 1]
            skipped = (gate > 0.95 - 0.01 * place) & (gate < 0.97) & np.isfinite(following)
            here = np.isfinite(entered) & ~(skipped & (place in (2, 3)))
            parts.append((np.flatnonzero(here), stage, entered[here]))
        won = np.flatnonzero(walk.is_won)
        parts.append((won, "won", walk.closed[won]))
        for place in range(1, 5):
            left = np.flatnonzero((walk.left_from == place) & np.isfinite(walk.left_at))
            if place == 4:
                parts.append((left, "lost", walk.left_at[left]))
                continue
            recycled = pipeline.is_recycled[left]
            otherwise = "rejected" if place == 1 else "disqualified"
            outright = reject[left] < (0.75 if place == 1 else 0.5)
            back = recycled & ~outright if place == 1 else recycled
            parts.append((left[back], "recycled", walk.left_at[left[back]]))
            parts.append((left[~back], otherwise, walk.left_at[left[~back]]))
    early = np.flatnonzero(np.isfinite(pipeline.left_early))
    back = pipeline.is_recycled[early]
    parts.append((early[back], "recycled", pipeline.left_early[early[back]]))
    parts.append((early[~back], "disqualified", pipeline.left_early[early[~back]]))
    lead = np.concatenate([part[0] for part in parts])
    entered = np.concatenate([part[2] for part in parts])
    stage = np.repeat([part[1] for part in parts], [len(part[0]) for part in parts])
    shown = world.is_shown[lead] & (entered < world.end)
    frame = pd.DataFrame({"lead": lead, "stage": stage, "entered": entered})[shown]
    frame = frame.sort_values(["lead", "entered"], kind="stable", ignore_index=True)
    reason = np.array([None] * len(frame), dtype=object)
    rng = stream(seed, "reasons")
    pick, filled = rng.random(len(frame)), rng.random(len(frame))
    for exit_, (names, shares) in REASONS.items():
        here = (frame["stage"] == exit_).to_numpy() & (filled < _REASON_FILLED[exit_])
        code = np.searchsorted(np.cumsum(shares)[:-1], pick[here])
        reason[here] = np.array(names, dtype=object)[code]
    owner = pd.Series(np.array([None] * n, dtype=object))
    owner.loc[np.flatnonzero(world.is_shown)] = leads["owner"].to_numpy(dtype=object)
    by_person = ~frame["stage"].eq("mql").to_numpy()
    changed_by = np.where(by_person, owner.to_numpy()[frame["lead"]], None)
    return pd.DataFrame(
        {
            "lead_id": pd.Series(world.lead_ids[frame["lead"]], dtype="str"),
            "stage": frame["stage"].astype("str"),
            "entered_at": times(frame["entered"].to_numpy()),
            "reason": pd.Series(reason, dtype="str"),
            "changed_by": pd.Series(changed_by, dtype="str"),
        }
    )


def _touches(world: World) -> pd.DataFrame:
    draws, walk, leads = world.draws, world.pipeline.first, world.leads
    rng = stream(draws.spec.seed, "touches")
    n = len(draws.created)
    channel = leads.channel
    n_before = rng.geometric(0.55, n) - 1
    # The touch at which the hand was raised, and the ones before it.
    before = np.repeat(np.arange(n), n_before)
    back = 26 * rng.standard_exponential(len(before)) + 0.05
    pick = rng.random(len(before))
    earlier = (pick[:, None] > np.cumsum(_EARLIER, axis=1)[channel[before], :-1]).sum(axis=1)
    # After it: nurture by e-mail, and more visits the further a lead gets.
    reached = (
        0.25
        + 0.35 * np.isfinite(walk.mql)
        + 0.8 * np.isfinite(walk.sal)
        + 0.9 * np.isfinite(walk.opportunity)
    )
    n_after = (rng.random((n, 6)) < (reached / 6)[:, None]).sum(axis=1)
    after = np.repeat(np.arange(n), n_after)
    until = np.where(np.isfinite(walk.closed), walk.closed, draws.created + 45)
    gone = rng.random(len(after))
    later = draws.created[after] + gone * (until - draws.created)[after]
    later_channel = np.array([_EMAIL, 0, _DIRECT, 3])[
        np.searchsorted([0.5, 0.72, 0.9], rng.random(len(after)))
    ]
    traced = rng.random(n) > 0.05  # a few leads left no trace at all
    lead = np.concatenate([before, np.flatnonzero(traced), after])
    when = np.concatenate([draws.created[before] - back, draws.created[traced], later])
    through = np.concatenate([earlier, channel[traced], later_channel])
    is_raised = np.repeat([False, True, False], [len(before), traced.sum(), len(after)])
    luck, pages, whose = rng.random(len(lead)), rng.random(len(lead)), rng.random(len(lead))
    keep = world.is_shown[lead] & traced[lead] & (when < world.end)
    is_web = np.isin(through, WEB) & (when >= world.start)
    lost = is_web & (luck < world.cause.blind)
    # Half of what a broken tag loses is gone, the other half shows up without its channel.
    keep &= ~(lost & (luck < world.cause.blind / 2))
    through = np.where(lost, _DIRECT, through)
    frame = pd.DataFrame(
        {
            "lead": lead,
            "when": when,
            "through": through,
            "raised": is_raised,
            "page": np.floor(pages * len(CONTENTS)).astype(int),
            "known": (whose < 0.9) | is_raised,
            "lost": lost,
        }
    )[keep]
    frame = frame.sort_values(["lead", "when"], kind="stable", ignore_index=True)
    through = frame["through"].to_numpy()
    owner = frame["lead"].to_numpy()
    kind = np.select(
        [through == 5, through == 3, through == _EMAIL, frame["raised"]],
        ["call", "event", "email", "form"],
        "visit",
    )
    campaign = np.floor(draws.uniform("campaign") * 3).astype(int)[owner]
    names = np.array([c for group in CAMPAIGNS for c in group], dtype=object)
    has_campaign = frame["raised"].to_numpy() & ~frame["lost"].to_numpy() & (through < 6)
    known = frame["known"].to_numpy()
    return pd.DataFrame(
        {
            "touch_id": pd.Series([f"T{i + 1:07d}" for i in range(len(frame))], dtype="str"),
            "occurred_at": times(frame["when"].to_numpy()),
            "channel": words(_TOUCH_CHANNELS, through),
            "lead_id": words(world.lead_ids, np.where(known, owner, -1)),
            "account_id": pd.Series(_account_ids(draws.account[owner]), dtype="str"),
            "campaign": words(names, np.where(has_campaign, 3 * through % 18 + campaign, -1)),
            "content": words(CONTENTS, np.where(kind == "call", -1, frame["page"])),
            "kind": pd.Series(kind, dtype="str"),
        }
    )


def _activities(world: World, leads: pd.DataFrame) -> pd.DataFrame:
    draws, pipeline = world.draws, world.pipeline
    calendar = draws.calendar
    rng = stream(draws.spec.seed, "activities")
    n = len(draws.created)
    parts: list[tuple[Ints, Floats, Ints]] = []
    first_kind, has_feedback = rng.random(n), rng.random(n)
    gap, feedback_wait = rng.standard_exponential((n, 3)), rng.standard_exponential(n)
    how_many, kinds = rng.integers(0, 3, n), rng.random((n, 3))
    for walk in (pipeline.first, pipeline.second):
        acted = np.isfinite(walk.acted)
        here = np.flatnonzero(acted)
        parts.append((here, walk.acted[here], (first_kind[here] > 0.6).astype(int)))
        previous = walk.acted
        for step in range(3):
            more = acted & (step < how_many + 2 * np.isfinite(walk.sal) - 1)
            here = np.flatnonzero(more)
            when = np.full(n, np.inf)
            when[here] = calendar.in_office(
                previous[here] + 0.5 + 4 * gap[here, step], previous[here]
            )
            is_meeting = np.isfinite(walk.sal[here]) & (kinds[here, step] > 0.6)
            parts.append(
                (here, when[here], np.where(is_meeting, 2, (kinds[here, step] > 0.3).astype(int)))
            )
            previous = when
    walk = pipeline.first
    answers = np.isfinite(walk.acted) & (has_feedback < 0.62 - 0.12 * grade_of(world.leads.score))
    here = np.flatnonzero(answers)
    said = calendar.in_office(walk.acted[here] + 0.3 + 4 * feedback_wait[here], walk.acted[here])
    parts.append((here, said, np.full(len(here), 3)))
    lead = np.concatenate([part[0] for part in parts])
    when = np.concatenate([part[1] for part in parts])
    kind = np.concatenate([part[2] for part in parts])
    keep = world.is_shown[lead] & (when < world.end)
    frame = pd.DataFrame({"lead": lead, "when": when, "kind": kind})[keep]
    frame = frame.sort_values(["lead", "when"], kind="stable", ignore_index=True)
    lead, when = frame["lead"].to_numpy(), frame["when"].to_numpy()
    return pd.DataFrame(
        {
            "lead_id": pd.Series(world.lead_ids[lead], dtype="str"),
            "occurred_at": times(when),
            "owner": words(world.team.owners, world.team.holder(pipeline.slot[lead], when)),
            "kind": words(("call", "email", "meeting", "feedback"), frame["kind"].to_numpy()),
        }
    )


def _spend(world: World) -> pd.DataFrame:
    """Money follows the plan, not who came: fewer leads for it cost more each."""
    draws = world.draws
    window = draws.calendar.days[: len(draws.intensity)] >= day_number(draws.spec.start)
    planned = draws.intensity[window] * _COST_PER_LEAD
    rng = stream(draws.spec.seed, "spend")
    amount = np.round(planned * np.exp(0.15 * rng.standard_normal(planned.shape)), 2)
    days = draws.calendar.days[: len(draws.intensity)][window]
    day, channel = np.meshgrid(days, np.arange(6), indexing="ij")
    return pd.DataFrame(
        {
            "spent_on": dates(day.ravel()),
            "channel": words(CHANNELS, channel.ravel()),
            "amount": amount.ravel(),
        }
    )


def _promos(world: World) -> pd.DataFrame:
    promos = world.draws.promos
    channel = [None if p.channel is None else CHANNELS[p.channel] for p in promos]
    rows = pd.DataFrame(
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
    return rows


def _reps(world: World) -> pd.DataFrame:
    team, spec = world.team, world.draws.spec
    rows = []
    teams = ("team one", "team two")
    for slot, (one, two) in enumerate(team.ids):
        gone = team.left_at[slot]
        gone_on = float(np.floor(gone)) if np.isfinite(gone) and gone < world.end else np.inf
        first_left = team.first_left[slot]
        has_second = first_left < day_number(spec.end)
        rows.append(
            (one, team.first_started[slot], first_left if has_second else gone_on, teams[slot % 2])
        )
        if has_second:
            rows.append((two, team.second_from[slot], gone_on, teams[slot % 2]))
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
