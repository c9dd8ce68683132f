"""Figures are written as the company's locale writes them."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funnel import formats
from funnel.plan import Company

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


@pytest.mark.parametrize("write", [formats.money, formats.number, formats.share])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_known_is_said(write, value):
    assert write(value, GERMAN) == formats.NOT_KNOWN


@pytest.mark.parametrize("write", [formats.money, formats.number, formats.share])
def test_a_sign_is_asked_for_and_zero_has_none(write):
    english = Company()
    assert write(50, english, sign=True).startswith("+")
    assert write(-50, english, sign=True).startswith("-")
    assert write(-0.0001, english, sign=True)[0] not in "+-"


@given(st.floats(-1e12, 1e12), st.integers(0, 3))
def test_a_number_reads_back(value, digits):
    text = formats.number(value, Company(), digits=digits)
    assert float(text.replace(",", "")) == pytest.approx(value, abs=0.51 * 10**-digits)
