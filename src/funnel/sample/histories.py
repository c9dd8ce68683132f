"""Tables of leads, and of their stages, touches and sales actions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from funnel.sample.calendar import Floats, Ints
from funnel.sample.cells import account_ids, known_by, times, words
from funnel.sample.market import stream
from funnel.sample.pipeline import STAGES, grade_of
from funnel.sample.vocabulary import (
    CAMPAIGN_NAMES,
    CHANNELS,
    CONTENTS,
    DIRECT,
    EMAIL,
    FUNCTIONS,
    INDUSTRIES,
    REASON_FILLED,
    REASONS,
    REGIONS,
    SENIORITIES,
    TOUCH_CHANNELS,
    WEB,
)
from funnel.sample.world import World

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


def leads_table(world: World) -> pd.DataFrame:
    """Leads of the window, as they are on the last day."""
    draws, leads = world.draws, world.leads
    shown = np.flatnonzero(world.is_shown)
    channel = leads.channel[shown]
    handed_off = np.minimum.reduce([passage.assigned for passage in world.pipeline.passages])
    assigned = known_by(handed_off[shown], world.end)
    has_owner = np.isfinite(assigned)
    holder = world.team.holder(
        world.pipeline.slot[shown], np.where(has_owner, assigned, draws.created[shown])
    )
    campaign = leads.campaign[shown]
    blind = draws.uniform("blind")[shown]
    named = np.where(draws.uniform("channel filled")[shown] < 0.97, channel, -1)
    is_lost = (
        np.isin(channel, WEB) & (draws.created[shown] >= world.start) & (blind < world.cause.blind)
    )
    # a third each of the lost channels becomes direct, unknown or empty
    lost_as = np.array([6, 7, -1])[
        np.floor(3 * blind / max(world.cause.blind, 1e-9)).astype(int) % 3
    ]
    named = np.where(is_lost, lost_as, named)
    no_campaign = is_lost | (draws.uniform("campaign filled")[shown] < 0.12)
    filled = draws.uniform("revenue filled")[shown] < 0.88
    return pd.DataFrame(
        {
            "lead_id": pd.Series(world.lead_ids[shown], dtype="str"),
            "created_at": times(draws.created[shown]),
            "account_id": pd.Series(account_ids(draws.account[shown]), dtype="str"),
            "channel": words((*CHANNELS, "direct", "unknown"), named),
            "campaign": words(CAMPAIGN_NAMES, np.where(no_campaign, -1, 3 * channel + campaign)),
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


def stage_changes(world: World, leads: pd.DataFrame) -> pd.DataFrame:
    """Every entry into a stage, exits included."""
    pipeline = world.pipeline
    n = len(world.lead_ids)
    parts: list[tuple[Ints, str, Floats]] = []
    gate = world.draws.uniform("skips")
    for passage in pipeline.passages:
        for place, stage in enumerate(STAGES[1:], start=1):
            entered = (passage.mql, passage.sal, passage.sql, passage.opportunity)[place - 1]
            # some entries are not recorded, of leads that reached the next stage soon after
            low = {2: 0.0, 3: 0.05}.get(place, 1.0)
            skipped = (gate >= low) & (gate < low + 0.05) & np.isfinite(passage.opportunity)
            here = np.isfinite(entered) & ~skipped
            parts.append((np.flatnonzero(here), stage, entered[here]))
        won = np.flatnonzero(passage.is_won)
        parts.append((won, "won", passage.closed[won]))
        for place in range(1, 5):
            left = np.flatnonzero((passage.left_from == place) & np.isfinite(passage.left_at))
            if place == 4:
                parts.append((left, "lost", passage.left_at[left]))
                continue
            otherwise = "rejected" if place == 1 else "disqualified"
            back = pipeline.is_recycled(np.array(place))[left]
            parts.append((left[back], "recycled", passage.left_at[left[back]]))
            parts.append((left[~back], otherwise, passage.left_at[left[~back]]))
    early = np.flatnonzero(np.isfinite(pipeline.left_early))
    back = pipeline.is_recycled(np.array(0))[early]
    parts.append((early[back], "recycled", pipeline.left_early[early[back]]))
    parts.append((early[~back], "disqualified", pipeline.left_early[early[~back]]))
    lead = np.concatenate([part[0] for part in parts])
    entered = np.concatenate([part[2] for part in parts])
    stage = np.repeat([part[1] for part in parts], [len(part[0]) for part in parts])
    shown = world.is_shown[lead] & (entered < world.end)
    frame = pd.DataFrame({"lead": lead, "stage": stage, "entered": entered})[shown]
    frame = frame.sort_values(["lead", "entered"], kind="stable", ignore_index=True)
    reason = np.array([None] * len(frame), dtype=object)
    pick = world.draws.uniform("reasons")[frame["lead"]]
    filled = world.draws.uniform("reason filled")[frame["lead"]]
    for exit_, (names, shares) in REASONS.items():
        here = (frame["stage"] == exit_).to_numpy() & (filled < REASON_FILLED[exit_])
        code = np.searchsorted(np.cumsum(shares)[:-1], pick[here])
        recorded = np.array(names, dtype=object)[code]
        is_large = world.leads.employees[frame["lead"]][here] >= 100
        reason[here] = np.where(
            (recorded == "too small") & is_large, "wrong company type", recorded
        )
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


def touches_table(world: World) -> pd.DataFrame:
    """Touches before, at and after the creation of a lead."""
    draws, passage, leads = world.draws, world.pipeline.first, world.leads
    rng = stream(draws.spec.seed, "touches")
    n = len(draws.created)
    channel = leads.channel
    n_before = rng.geometric(0.55, n) - 1
    # the touch that made the lead, and those before it
    before = np.repeat(np.arange(n), n_before)
    back = 26 * rng.standard_exponential(len(before)) + 0.05
    pick = rng.random(len(before))
    earlier = (pick[:, None] > np.cumsum(_EARLIER, axis=1)[channel[before], :-1]).sum(axis=1)
    # after it: e-mails, and more visits the further a lead gets
    reached = (
        0.25
        + 0.35 * np.isfinite(passage.mql)
        + 0.8 * np.isfinite(passage.sal)
        + 0.9 * np.isfinite(passage.opportunity)
    )
    n_after = (rng.random((n, 6)) < (reached / 6)[:, None]).sum(axis=1)
    after = np.repeat(np.arange(n), n_after)
    until = np.where(np.isfinite(passage.closed), passage.closed, draws.created + 45)
    elapsed = rng.random(len(after))
    later = draws.created[after] + elapsed * (until - draws.created)[after]
    later_channel = np.array([EMAIL, 0, DIRECT, 3])[
        np.searchsorted([0.5, 0.72, 0.9], rng.random(len(after)))
    ]
    traced = rng.random(n) > 0.05  # a few leads have no touch at all
    lead = np.concatenate([before, np.flatnonzero(traced), after])
    when = np.concatenate([draws.created[before] - back, draws.created[traced], later])
    through = np.concatenate([earlier, channel[traced], later_channel])
    is_raised = np.repeat([False, True, False], [len(before), traced.sum(), len(after)])
    luck, pages, whose = rng.random(len(lead)), rng.random(len(lead)), rng.random(len(lead))
    # a lead whose channel is lost lost it with the touch that made it a lead
    luck = np.where(is_raised, draws.uniform("blind")[lead], luck)
    keep = world.is_shown[lead] & traced[lead] & (when < world.end)
    is_web = np.isin(through, WEB) & (when >= world.start)
    lost = is_web & (luck < world.cause.blind)
    # half of the touches that a broken tag loses are missing, the others have no channel
    keep &= ~(lost & (luck < world.cause.blind / 2))
    through = np.where(lost, DIRECT, through)
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
        [through == 5, through == 3, through == EMAIL, frame["raised"]],
        ["call", "event", "email", "form"],
        "visit",
    )
    campaign = leads.campaign[owner]
    has_campaign = frame["raised"].to_numpy() & ~frame["lost"].to_numpy() & (through < 6)
    known = frame["known"].to_numpy()
    return pd.DataFrame(
        {
            "touch_id": pd.Series([f"T{i + 1:07d}" for i in range(len(frame))], dtype="str"),
            "occurred_at": times(frame["when"].to_numpy()),
            "channel": words(TOUCH_CHANNELS, through),
            "lead_id": words(world.lead_ids, np.where(known, owner, -1)),
            "account_id": pd.Series(account_ids(draws.account[owner]), dtype="str"),
            "campaign": words(CAMPAIGN_NAMES, np.where(has_campaign, 3 * through + campaign, -1)),
            "content": words(CONTENTS, np.where(kind == "call", -1, frame["page"])),
            "kind": pd.Series(kind, dtype="str"),
        }
    )


def activities_table(world: World, leads: pd.DataFrame) -> pd.DataFrame:
    """Actions of salespeople: a first one, more of them, and feedback to marketing."""
    draws, pipeline = world.draws, world.pipeline
    calendar = draws.calendar
    rng = stream(draws.spec.seed, "activities")
    n = len(draws.created)
    parts: list[tuple[Ints, Floats, Ints]] = []
    first_kind, has_feedback = rng.random(n), rng.random(n)
    gap, feedback_wait = rng.standard_exponential((n, 3)), rng.standard_exponential(n)
    how_many, kinds = rng.integers(0, 3, n), rng.random((n, 3))
    for passage in pipeline.passages:
        acted = np.isfinite(passage.acted)
        here = np.flatnonzero(acted)
        parts.append((here, passage.acted[here], (first_kind[here] > 0.6).astype(int)))
        previous = passage.acted
        for step in range(3):
            more = acted & (step < how_many + 2 * np.isfinite(passage.sal) - 1)
            here = np.flatnonzero(more)
            when = np.full(n, np.inf)
            when[here] = calendar.in_office(
                previous[here] + 0.5 + 4 * gap[here, step], previous[here]
            )
            is_meeting = np.isfinite(passage.sal[here]) & (kinds[here, step] > 0.6)
            parts.append(
                (here, when[here], np.where(is_meeting, 2, (kinds[here, step] > 0.3).astype(int)))
            )
            previous = when
    passage = pipeline.first
    answers = np.isfinite(passage.acted) & (
        has_feedback < 0.62 - 0.12 * grade_of(world.leads.score)
    )
    here = np.flatnonzero(answers)
    answered = calendar.in_office(
        passage.acted[here] + 0.3 + 4 * feedback_wait[here], passage.acted[here]
    )
    parts.append((here, answered, np.full(len(here), 3)))
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
