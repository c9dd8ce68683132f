"""Whether a promotion paid: what it brought above the usual, net of the weeks around it."""

from funnel.seasonality.promo.question import promo_effect, promo_effects
from funnel.seasonality.promo.result import Placebos, PromoEffect, PromoEffects

__all__ = ["Placebos", "PromoEffect", "PromoEffects", "promo_effect", "promo_effects"]
