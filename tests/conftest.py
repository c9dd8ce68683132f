"""What every test starts from: its own key for labels of people, and no state of this machine."""

import pytest
from hypothesis import settings

from funnel.engine import MEMORY
from funnel.load.privacy import KEY_VARIABLE
from funnel.results import SNAPSHOT_FOLDER
from funnel.spark import CHOSEN, MASTER, SHARED

# The speed of a shared machine is no property of the code.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")


@pytest.fixture(autouse=True, scope="session")
def own_surroundings(tmp_path_factory):
    """Make labels the same everywhere, and keep keys out of the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(KEY_VARIABLE, "golden")
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        for name in (SNAPSHOT_FOLDER, MEMORY, CHOSEN, MASTER, SHARED):
            patch.delenv(name, raising=False)
        yield
