"""The names that others hold on to are there, and stay functions."""

import subprocess
import sys
from pathlib import Path

import pytest

import funnel


@pytest.mark.parametrize("name", funnel.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(funnel, name).__doc__


def test_a_reader_learns_at_most_forty_names():
    assert len(funnel.__all__) <= 40


def test_no_public_name_is_also_a_module():
    modules = {path.stem for path in Path(funnel.__file__).parent.iterdir()}
    assert not modules & set(funnel.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="lode"):
        _ = funnel.lode


def test_importing_the_package_imports_nothing_else():
    code = "import sys, funnel; print([name for name in sys.modules if name.startswith('funnel')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['funnel']"


@pytest.mark.parametrize("name", sorted(funnel._OF_A_DATASET))
def test_a_question_asked_of_no_dataset_tells_how_to_load_one(name):
    with pytest.raises(funnel.ParameterError, match=rf"funnel\.{name} needs a dataset, not str"):
        getattr(funnel, name)("data/sample")
