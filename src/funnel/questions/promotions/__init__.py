"""The question which promotions were viable, net of what they only moved forward.

`promotions(data)` answers for every promotion of the table `promos`; `promo_effect(data, promo)`
for one.
"""

from funnel.questions.promotions.effect import PromoEffect, promo_effect
from funnel.questions.promotions.placebos import Placebos
from funnel.questions.promotions.promotions import Promotions, promotions

__all__ = ["Placebos", "PromoEffect", "Promotions", "promo_effect", "promotions"]
