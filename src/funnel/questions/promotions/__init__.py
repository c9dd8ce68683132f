"""Whether a promotion paid: what it brought above the usual, net of the weeks around it."""

from funnel.questions.promotions.promo_effect import promo_effect, promo_effects
from funnel.questions.promotions.result import Placebos, PromoEffect, PromoEffects

__all__ = ["Placebos", "PromoEffect", "PromoEffects", "promo_effect", "promo_effects"]
