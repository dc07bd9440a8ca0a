"""A recording with holes and its features; a home that lived through one and knows one model."""

import pytest

import barograph as bg
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from lived_home import lived

START_S = 1_750_000_000


def recorded(path, *stretches):
    """A market of two products, some seconds heard and some lost in turn, as a file."""
    market = SimulatedMarket(PRESETS["market"], ["BTC-USD", "ETH-USD"], 3, START_S * 10**9)
    frames = []
    for heard_s, lost_s in stretches:
        frames += market.advance(heard_s)
        market.advance(lost_s)
    path.write_bytes(b"".join(frame.data + b"\n" for frame in frames))
    return path


@pytest.fixture(scope="session")
def holed(tmp_path_factory):
    """The path of a recording of 34 minutes with holes of 2 minutes and of 30 s."""
    path = tmp_path_factory.mktemp("holed") / "market.ndjson"
    return recorded(path, (720, 120), (300, 30), (1000, 1))


@pytest.fixture(scope="session")
def holed_ticks(holed):
    return bg.read_ticks(holed)


@pytest.fixture(scope="session")
def X(holed_ticks):  # noqa: N802 - scikit-learn's name
    return bg.features(holed_ticks)


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """What the home replayed."""
    path = tmp_path_factory.mktemp("recorded") / "market.ndjson"
    return recorded(path, (200, 30), (400, 1))


@pytest.fixture(scope="session")
def folder(tmp_path_factory, recording, made_home):
    return lived(tmp_path_factory.mktemp("lived") / "home", made_home, recording)


@pytest.fixture
def home(folder):
    with bg.open(folder) as home:
        yield home
