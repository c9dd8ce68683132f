"""Figures are written as the company's locale writes them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel.contract.plan import Company
from funnel.results import formats

GERMAN = Company(currency="EUR", locale="de")
BRAZIL = Company(currency="BRL", locale="pt_BR")


def plain(text):
    return text.replace("\xa0", " ").replace("\u202f", " ")


def test_by_locale():
    assert plain(formats.money(-1234567.8, GERMAN)) == "-1.234.568 €"
    assert plain(formats.money(1234.5, BRAZIL)) == "R$ 1.234"
    assert formats.number(1234.56, GERMAN, digits=1) == "1.234,6"
    assert plain(formats.share(-0.1234, GERMAN, digits=1)) == "-12,3 %"
    assert plain(formats.day(dt.date(2026, 6, 30), GERMAN)) == "30.06.2026"


def test_amounts_for_a_sentence_have_three_digits():
    english = Company(currency="EUR")
    for value, says in (
        (3_910_299, "€3.91M"), (-804_300, "-€804K"), (45_149, "€45.1K"), (999_950, "€1M"),
        (9_999, "€9,999"), (-40.2, "-€40"), (0, "€0"), (12_345_678_901, "€12.3B"),
    ):  # fmt: skip
        assert formats.short_money(value, english) == says
    assert formats.short_money(3_910_299, english, sign=True) == "+€3.91M"
    assert plain(formats.short_money(3_910_299, GERMAN)) == "3,91 Mio. €"
    assert plain(formats.short_money(222_567, GERMAN)) == "223.000 €"
    assert plain(formats.short_money(-222_567, BRAZIL)) == "-R$ 223 mil"


@given(st.floats(-1e13, 1e13))
def test_a_short_amount_is_right_to_three_digits(value):
    text = formats.short_money(value, Company(currency="EUR"))
    times = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(text[-1], 1)
    said = float(text.replace("€", "").replace(",", "").rstrip("KMBT")) * times
    assert said == pytest.approx(value, rel=0.005001, abs=0.51)


@pytest.mark.parametrize(
    "write", [formats.money, formats.short_money, formats.number, formats.share]
)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_known_is_said(write, value):
    assert write(value, GERMAN) == formats.NOT_KNOWN


@pytest.mark.parametrize(
    "write", [formats.money, formats.short_money, formats.number, formats.share]
)
def test_a_sign_is_asked_for_and_zero_has_none(write):
    english = Company()
    assert write(50, english, sign=True).startswith("+")
    assert write(-50, english, sign=True).startswith("-")
    assert write(-0.0001, english, sign=True)[0] not in "+-"


@given(st.floats(-1e12, 1e12), st.integers(0, 3))
def test_a_number_reads_back(value, digits):
    text = formats.number(value, Company(), digits=digits)
    assert float(text.replace(",", "")) == pytest.approx(value, abs=0.51 * 10**-digits)
