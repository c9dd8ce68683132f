"""Words of several languages for the reasons of lost deals, written without blanks and accents."""

from __future__ import annotations

_FORMS = {
    "price": (
        "price pricing expensive tooexpensive pricetoohigh toohighprice toopricey preis "
        "zuteuer teuer preiszuhoch prix tropcher prixtropeleve precio caro muycaro "
        "demasiadocaro prezzo troppocaro preco muitocaro cena prijs teduur"
    ),
    "timing": "timing badtiming wrongtime notnow falscherzeitpunkt zeitpunkt mauvaistiming",
    "competitor": (
        "competitor competition losttocompetitor losttoacompetitor wettbewerb "
        "wettbewerber konkurrenz concurrent concurrence competencia concorrenza"
    ),
    "no_decision": "nodecision nodecisionmade keineentscheidung pasdedecision sindecision",
}
REASON_OF = {form: reason for reason, forms in _FORMS.items() for form in forms.split()}
"""The reason of `[losses]` that each of these words means."""
