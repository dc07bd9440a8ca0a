"""What all tests share: where the real data are, and patience on a shared machine."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# Times of single examples mean nothing here: the first call of a kernel compiles it.
settings.register_profile("house", deadline=None, print_blob=True)
settings.register_profile("fast", deadline=None, print_blob=True, max_examples=15)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("BAROGRAPH_DATA", ROOT.parent / "shared" / "data")).resolve()


@pytest.fixture(scope="session")
def data():
    """The folder of real recordings, or a skip; in CI its absence is a failure."""
    if DATA.is_dir():
        return DATA
    reason = f"no real data at {DATA}; set BAROGRAPH_DATA to a folder that has them"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def pytest_collection_modifyitems(items):
    """Stories run real processes: they are the slow ones, without saying so each."""
    for item in items:
        if "stories" in item.path.parts:
            item.add_marker(pytest.mark.slow)
