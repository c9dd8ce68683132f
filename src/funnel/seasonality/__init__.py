"""How much of a change is the usual calendar: working days, season, and what is left."""

from funnel.seasonality.decomposition import Decomposition, decompose
from funnel.seasonality.promo import (
    Placebos,
    PromoEffect,
    PromoEffects,
    promo_effect,
    promo_effects,
)
from funnel.seasonality.series import series
from funnel.seasonality.share import ShareOfChange

__all__ = [
    "Decomposition",
    "Placebos",
    "PromoEffect",
    "PromoEffects",
    "ShareOfChange",
    "decompose",
    "promo_effect",
    "promo_effects",
    "series",
]
