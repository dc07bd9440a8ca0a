"""The dataset of a lake is that of the archive, however it was divided and whoever was killed."""

import random
from contextlib import closing
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barograph.archive.lake import read_progress
from barograph.cases.spikes import SPIKES
from barograph.errors import BadInputError
from barograph.training import data_hash, dataset, stretches
from barograph.training.lake_dataset import build
from barograph.training.results import results_in
from barograph.training.stretches import compute
from engines_here import EngineEndedError, EngineHere
from simulated_archives import fed, heard, written


def built(home):
    """The manifest of the embedded engine, and the bytes of its table."""
    manifest = dataset.build(home, SPIKES)
    return manifest, dataset.paths(home, SPIKES)[0].read_bytes()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return fed(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def expected(home):
    return built(home)


def check(home, expected, engine, **options):
    manifest = build(home, SPIKES, engine, **options)
    assert manifest == expected[0]
    assert dataset.paths(home, SPIKES)[0].read_bytes() == expected[1]
    assert not list((home / "datasets").glob(".spikes-*"))


@pytest.mark.slow
@settings(
    max_examples=min(8, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    block=st.sampled_from([64, 500, 1 << 16]),
    most=st.integers(1, 40),
    day_h=st.sampled_from([1, 2, 24]),
    earlier_h=st.sampled_from([0, 1, 2]),
    seed=st.integers(0, 99),
)
def test_however_it_is_divided_the_bytes_are_those_of_one_reader(
    tmp_path_factory, block, most, day_h, earlier_h, seed
):
    with pytest.MonkeyPatch.context() as patch:
        for module in (data_hash, stretches):
            patch.setattr(module, "BLOCK_EVENTS", block)
        patch.setattr(stretches, "MOST_EVENTS", most * block)
        patch.setattr(stretches, "_HOURS_A_DAY", day_h)
        patch.setattr(stretches, "EARLIER_H", earlier_h)
        home = fed(tmp_path_factory.mktemp("home"), (20, 25, 5, 10), seed % 3)
        shuffled = random.Random(seed)
        check(home, built(home), EngineHere(order=lambda _: shuffled.random()))


def test_the_lake_of_a_home_is_brought_up_to_its_archive(home, expected):
    check(home, expected, EngineHere())
    check(home, expected, EngineHere())  # with a lake that is there


def test_what_a_feed_may_still_change_is_read_too(tmp_path):
    first, second = heard((10, 10), 3, 2)
    written(tmp_path, first).close()
    with closing(written(tmp_path, second)):
        expected = built(tmp_path)
        check(tmp_path, expected, EngineHere())
    finished = read_progress(tmp_path / "parquet").events
    assert 0 < sum(finished.values()) < sum(expected[0].events.values())


@pytest.mark.slow
def test_whoever_is_killed_goes_on_with_the_stretches_that_are_left(home, expected, monkeypatch):
    monkeypatch.setattr(stretches, "_HOURS_A_DAY", 1)
    monkeypatch.setattr(data_hash, "BLOCK_EVENTS", 500)
    monkeypatch.setattr(stretches, "BLOCK_EVENTS", 500)
    expected = built(home)
    computed = []
    for lives in (0, 1, 3):
        engine = EngineHere(lives=lives)
        with pytest.raises(EngineEndedError):
            build(home, SPIKES, engine)
        computed += engine.computed
    engine = EngineHere()
    check(home, expected, engine)
    assert len(computed) == 4
    planned = [each for each in computed if each in engine.computed]
    assert planned == []  # none was computed twice


@pytest.mark.slow
def test_a_stretch_after_hours_of_silence_is_computed_again(tmp_path, monkeypatch):
    monkeypatch.setattr(stretches, "_HOURS_A_DAY", 1)
    monkeypatch.setattr(data_hash, "BLOCK_EVENTS", 100)
    monkeypatch.setattr(stretches, "BLOCK_EVENTS", 100)
    monkeypatch.setattr(stretches, "EARLIER_H", 0)
    home = fed(tmp_path)
    expected, engine = built(home), EngineHere()
    check(home, expected, engine)
    assert len(engine.computed) > len(set(engine.computed))


def test_a_lake_stands_for_an_archive_that_is_gone(home, expected, tmp_path):
    build(home, SPIKES, EngineHere())
    (tmp_path / "datasets").mkdir()
    manifest = build(tmp_path, SPIKES, EngineHere(), lake=str(home / "parquet"))
    assert manifest == expected[0]


@pytest.mark.skipif(find_spec("s3fs") is None, reason="the extra lake is not installed")
def test_lake_and_results_may_lie_in_an_object_store(home, expected, tmp_path):
    build(home, SPIKES, EngineHere())
    scratch, killed = f"file://{tmp_path}/scratch", EngineHere(lives=1)
    options = {"lake": f"file://{home}/parquet", "scratch": scratch}
    (tmp_path / "home" / "datasets").mkdir(parents=True)
    with pytest.raises(EngineEndedError):
        build(tmp_path / "home", SPIKES, killed, **options)
    engine = EngineHere()
    check(tmp_path / "home", expected, engine, **options)
    assert not {*killed.computed} & {*engine.computed}
    assert not list((tmp_path / "scratch").glob("*"))


def test_homes_that_share_a_scratch_keep_out_of_each_others_way(home, expected, tmp_path):
    build(home, SPIKES, EngineHere())
    options = {"lake": str(home / "parquet"), "scratch": str(tmp_path / "scratch")}
    for name in "ab":
        (tmp_path / name / "datasets").mkdir(parents=True)
    with pytest.raises(EngineEndedError):
        build(tmp_path / "a", SPIKES, EngineHere(lives=1), **options)
    kept = sorted((tmp_path / "scratch").rglob("*"))
    check(tmp_path / "b", expected, EngineHere(), **options)
    assert sorted((tmp_path / "scratch").rglob("*")) == kept
    check(tmp_path / "a", expected, EngineHere(), **options)
    assert not list((tmp_path / "scratch").glob("*"))


class EngineElsewhere:
    """Leaves what it computes where only it sees it."""

    def __init__(self, place):
        self._place = place

    def compute(self, stretches, _results, done):
        for stretch in stretches:
            done(compute(stretch, results_in(str(self._place), "elsewhere")))


def test_results_that_are_not_seen_here_say_what_to_share(home, tmp_path):
    with pytest.raises(BadInputError, match="a --scratch that they reach"):
        build(home, SPIKES, EngineElsewhere(tmp_path))


def test_a_lake_that_lacks_events_is_refused(tmp_path):
    home = fed(tmp_path, (5, 5))
    build(home, SPIKES, EngineHere())
    sorted((home / "parquet").rglob("hour=*.parquet"))[1].unlink()
    with pytest.raises(BadInputError, match="it cannot be read"):
        build(home, SPIKES, EngineHere(), lake=str(home / "parquet"))


def test_a_lake_whose_index_is_gone_is_refused(tmp_path):
    home = fed(tmp_path, (5, 5))
    build(home, SPIKES, EngineHere())
    (home / "parquet" / "index.parquet").unlink()
    with pytest.raises(BadInputError, match="no file has event 0"):
        build(home, SPIKES, EngineHere(), lake=str(home / "parquet"))


def test_a_lake_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInputError, match="nowhere: there is no such folder"):
        build(tmp_path, SPIKES, EngineHere(), lake="nowhere")


def test_a_lake_of_an_older_version_says_how_to_make_another(tmp_path):
    home = fed(tmp_path, (5, 5))
    (home / "parquet").mkdir()
    (home / "parquet" / "progress.json").write_text('{"files": {"000000.ndjson.gz": "x"}}')
    with pytest.raises(BadInputError, match="archive compact --out DIR"):
        build(home, SPIKES, EngineHere())


def test_nothing_to_read_says_how_to_fill_it(tmp_path):
    with pytest.raises(BadInputError, match="barograph replay"):
        build(tmp_path, SPIKES, EngineHere())
