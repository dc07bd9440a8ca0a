"""What the stories share: their processes begin in no time, and none outlives them."""

from multiprocessing import active_children

import pytest

from lives import Life


@pytest.fixture(scope="session")
def warm():
    """For who starts a clock: the next life begins at once."""
    Life("--version").answer()


@pytest.fixture(autouse=True)
def _no_life_is_left():
    yield
    for child in active_children():
        if isinstance(child, Life):
            child.kill()
