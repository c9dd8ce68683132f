"""The question: which promotions were viable, net of what they only moved forward."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from funnel.methods.question import Question, figure
from funnel.questions.promotions.effect import COLUMNS, PromoEffect, promo_effect
from funnel.questions.promotions.placebos import PLACEBO_COLUMNS, Placebos
from funnel.questions.promotions.promos import read_promotions
from funnel.results import no_rows, speaks_for
from funnel.results.small_groups import SmallGroups

if TYPE_CHECKING:
    from funnel.dataset import Tables

_HEADS = ("promo", "starts_on", "ends_on", "channel", "segment")


@dataclass(frozen=True, eq=False, kw_only=True)
class Promotions(Question):
    """Every promotion of the table `promos`, newest first.

    `table` has one row per promotion: `promo`, `starts_on`, `ends_on`, `channel`, `segment`, then
    the columns of the first row of its own result (see `PromoEffect`), and `refused`: why there is
    no estimate, empty where there is one. `effects` holds the single results.
    """

    grouped = (SmallGroups(by=("channel", "segment"), counts={"n": ()}, within=("promo",)),)

    effects: tuple[PromoEffect, ...] = ()

    @figure
    def effect(self, promo: str) -> PromoEffect:
        """Effect of one promotion, by its name in any case.

        Raises
        ------
        ParameterError
            If no promotion of that name is in the table.
        """
        known = {each.promotion.name.casefold(): each for each in self.effects}
        return known.get(promo.strip().casefold()) or promo_effect(self.data, promo)

    @property
    def newest(self) -> PromoEffect | None:
        """Newest promotion with an estimate."""
        return next((each for each in self.effects if not each.refused), None)

    @figure
    def placebos(self) -> Placebos:
        """Newest promotion with an estimate, compared with the same days of other periods."""
        if self.newest is not None:
            return self.newest.placebos()
        return Placebos(table=pd.DataFrame(columns=list(PLACEBO_COLUMNS)), **speaks_for(self.data))


def promotions(data: Tables, *, of: str | None = None) -> Promotions:
    """Answer to which promotions of the table were viable.

    Parameters
    ----------
    data
        A dataset; reads `promos`, and `leads` or `deals`.
    of
        As in `promo_effect`.

    Examples
    --------
    >>> from funnel.dataset import Tables
    >>> leads = pd.DataFrame({"lead_id": ["L-1"], "created_at": ["2026-01-05"]})
    >>> promotions(Tables.of(leads=leads, as_of="2026-01-31")).headline
    'No promotions are listed.'
    """
    effects = tuple(promo_effect(data, one.name, of=of) for one in read_promotions(data)[::-1])
    rows = [
        each.rows.assign(figure=each.promotion.name + ": " + each.rows["figure"])
        for each in effects
        if len(each.rows)
    ]
    currency = data.plan.company.currency
    return Promotions(
        table=pd.DataFrame(
            [_row(each) for each in effects], columns=[*_HEADS, *COLUMNS, "refused"]
        ),
        rows=pd.concat(rows, ignore_index=True) if rows else no_rows(),
        units={"value": currency, "cost": currency},
        effects=effects,
        data=data,
        **speaks_for(data),
    )


def _row(each: PromoEffect) -> Mapping[str, Any]:
    promotion = each.promotion
    return {
        "promo": promotion.name,
        "starts_on": pd.Timestamp(promotion.first),
        "ends_on": pd.Timestamp(promotion.last),
        "channel": promotion.channel,
        "segment": promotion.segment,
        **each.table.iloc[0],
        "refused": str(each.refused.reason) if each.refused else "",
    }
