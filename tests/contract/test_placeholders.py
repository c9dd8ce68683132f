"""Words of other systems that mean unknown or direct, and words that only look like them."""

import pandas as pd
import pytest

from funnel.checks import is_direct, is_unknown
from funnel.contract.placeholders import is_direct_word, is_unknown_word

UNKNOWN = (
    "(not set)", "(other)", "Unassigned", "(data not available)", "(not provided)", "(none)",
    "(not set) / (not set)", "Unknown", "--None--", "#N/A", "n/a", "N/A", "NULL", "-", "—", ".",
    "?", "none", "Select", "Please select", "- Select -", "Select...", "see notes", "NOT_SET",
    " ", "n.a.",
)  # fmt: skip
DIRECT = (
    "(direct) / (none)", "direct / none", "Direct/None", "DIRECT_TRAFFIC", "Direct Traffic",
    "(direct)", "direct / (not set)", "Typed/Bookmarked", "DIRECT", "$direct",
)  # fmt: skip
VALUES = (
    "Other", "OFFLINE", "Offline Sources", "direct mail", "direct / email", "google / (not set)",
    "google / cpc", "No Decision", "no budget", "0", "C++", "selected partners",
    "None of the above", "Direct Energy", "+49", "E-Mail", "x",
)  # fmt: skip


@pytest.mark.parametrize("word", UNKNOWN)
def test_a_word_for_unknown_is_no_value(word):
    assert is_unknown_word(word) and not is_direct_word(word)


@pytest.mark.parametrize("word", DIRECT)
def test_a_word_for_direct_is_known(word):
    assert is_direct_word(word) and not is_unknown_word(word)


@pytest.mark.parametrize("word", VALUES)
def test_a_value_is_neither(word):
    assert not is_direct_word(word) and not is_unknown_word(word)


def test_columns_of_words_and_other_kinds():
    words = pd.Series(["NA", "EMEA", None, "(not set)", "DIRECT_TRAFFIC"])
    assert is_unknown(words).tolist() == [False, False, True, True, False]
    assert is_unknown(words.astype("category")).tolist() == is_unknown(words).tolist()
    assert is_direct(words).tolist() == [False, False, False, False, True]
    assert is_unknown(pd.Series(["NA", "DE"])).tolist() == [True, False]
    assert is_unknown(pd.Series([1.0, None])).tolist() == [False, True]
