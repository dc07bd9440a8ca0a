"""What the stories share: their processes begin in no time, and none outlives them."""

import shutil
import uuid
from multiprocessing import active_children

import pytest

from barograph.registry.registry import Registry
from verb_processes import WARM, Life
from verb_words import make_home, make_inputs


@pytest.fixture(params=["sqlite", "kafka"])
def address(request, tmp_path):
    """A log without a topic, of its own for each test, on each kind of log."""
    if request.param == "sqlite":
        return str(tmp_path)
    return f"kafka://{request.getfixturevalue('kafka')}/test-{uuid.uuid4().hex}"


@pytest.fixture(scope="module")
def registry(made_home, tmp_path_factory):
    """For the trainings of one module."""
    return Registry(shutil.copytree(made_home, tmp_path_factory.mktemp("registry") / "home"))


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """What the verbs of `doors.WORDS` read."""
    folder = tmp_path_factory.mktemp("inputs") / "inputs"
    make_inputs(folder)
    return folder


@pytest.fixture(scope="session")
def full_home(inputs, made_home, tmp_path_factory):
    """A home in which each verb has something to do; never changed."""
    path = tmp_path_factory.mktemp("home")
    make_home(path, inputs, made_home)
    return path


@pytest.fixture(scope="session")
def warm():
    """For who starts a clock: the next life begins at once."""
    Life("--version").answer()


@pytest.fixture(autouse=True)
def _no_life_is_left():
    yield
    for child in active_children():
        if isinstance(child, WARM.Process):
            child.kill()
