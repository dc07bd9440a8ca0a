"""Models are taken up beside the records: whole, or not at all and with a report."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.cases.market import MARKET
from barograph.errors import ForeignFeaturesError, RegistryError, UnsoundModelError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.pipeline.follower import Follower
from barograph.pipeline.scorer import Scorer
from barograph.pipeline.shadow import Shadow
from listed_versions import Versions
from scored_rows import model
from waiting import until


def followed(versions, warn=pytest.fail, **how):
    return Follower(versions, "spikes", FEATURE_SET_HASH, refresh_s=0.0, warn=warn, **how)


def settle(follower, *machines):
    """As many records later: what was looked for beside them is there."""
    for _ in range(3):
        follower.bring(machines)
        follower.leave()
    follower.bring(machines)


DAMAGED = RegistryError("spikes/2", "its model.onnx is not what was registered", "Train again")
UNREAD = RegistryError("mlflow.db", "the database cannot be read", "Try again")


class Machine:
    """A machine that notes what it is given."""

    def __init__(self):
        self.swaps = []

    def swap(self, model):
        self.swaps.append(model and model.label)


def test_a_champion_that_cannot_be_loaded_is_reported_once_and_the_present_one_stays():
    warnings = []
    versions = Versions({1: model("spikes/1"), 2: DAMAGED}, champion=1)
    champion, scorer = followed(versions, warnings.append), Scorer(MARKET)
    settle(champion, scorer)
    versions.aliases["champion"] = 2
    for _ in range(3):
        settle(champion, scorer)
    assert warnings == [f"{DAMAGED} The present model stays."]
    assert scorer.model is versions.models[1]


def test_where_there_was_none_there_is_none_until_it_can_be_loaded():
    warnings, machine = [], Machine()
    versions = Versions({2: DAMAGED}, champion=2)
    champion = followed(versions, warnings.append)
    settle(champion, machine)
    versions.models[2] = model("spikes/2")
    settle(champion, machine)
    assert machine.swaps == ["spikes/2"]
    assert warnings == [
        f"{DAMAGED} There is no champion meanwhile.",
        "the registry can be used again: champion is spikes/2.",
    ]


class Broken(Versions):
    """A registry whose database cannot be read at times."""

    broken = None

    def version_of(self, case, alias):
        if self.broken:
            raise self.broken
        return super().version_of(case, alias)


def test_a_registry_that_breaks_is_reported_once_and_the_champion_stays_until_it_is_mended():
    warnings, versions = [], Broken({1: model("spikes/1"), 2: model("spikes/2")}, champion=1)
    champion = followed(versions, warnings.append)
    labels = []
    for broken, number in ((None, 1), (UNREAD, 1), (UNREAD, 2), (None, 2), (UNREAD, 2)):
        versions.broken, versions.aliases["champion"] = broken, number
        settle(champion)
        labels.append(champion.model.label)
    assert labels == ["spikes/1", "spikes/1", "spikes/1", "spikes/2", "spikes/2"]
    assert warnings == [
        f"{UNREAD} The present model stays.",
        "the registry can be used again: champion is spikes/2.",
        f"{UNREAD} The present model stays.",
    ]


def test_what_a_server_last_answered_is_followed_and_reported_until_it_answers_again():
    warnings, machine = [], Machine()
    versions = Versions({1: model("spikes/1"), 2: model("spikes/2")}, champion=1)
    versions.problem = "the registry at http://x: it cannot be reached. Start it."
    champion = followed(versions, warnings.append)
    for _ in range(3):
        settle(champion, machine)
    assert machine.swaps == ["spikes/1"]
    assert warnings == [f"{versions.problem} The last known champion, spikes/1, stays."]
    versions.problem, versions.aliases["champion"] = "", 2
    settle(champion, machine)
    assert machine.swaps == ["spikes/1", "spikes/2"]
    assert warnings[1:] == ["the registry can be used again: champion is spikes/2."]


def test_a_registry_that_cannot_be_read_at_first_is_an_error_unless_there_is_time():
    warnings, versions, machine = [], Broken({1: model("spikes/1")}, champion=1), Machine()
    versions.broken = UNREAD
    with pytest.raises(RegistryError):
        followed(versions).bring([])
    champion = followed(versions, warnings.append, patient=True)
    settle(champion, machine)
    assert (machine.swaps, champion.model) == ([], None)
    versions.broken = None
    settle(champion, machine)
    assert machine.swaps == ["spikes/1"]
    assert warnings == [
        f"{UNREAD} There is no champion meanwhile.",
        "the registry can be used again: champion is spikes/1.",
    ]


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
def test_what_the_process_lacks_at_first_is_an_error_unless_there_is_time(error):
    with pytest.raises(type(error)):
        followed(Versions({1: error}, champion=1)).bring([])
    warnings, machine = [], Machine()
    settle(followed(Versions({1: error}, champion=1), warnings.append, patient=True), machine)
    assert (machine.swaps, len(warnings)) == ([], 1)


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output\nerror"), TypeError("None"), MemoryError()]
)
def test_an_unforeseen_error_is_reported_and_tried_again_too(error):
    warnings, machine = [], Machine()
    versions = Broken({1: model("spikes/1"), 2: error}, champion=1)
    champion = followed(versions, warnings.append)
    settle(champion, machine)
    versions.aliases["champion"] = 2
    settle(champion, machine)
    versions.broken = error
    settle(champion, machine)
    versions.broken, versions.models[2] = None, model("spikes/2")
    settle(champion, machine)
    assert machine.swaps == ["spikes/1", "spikes/2"]
    assert len(warnings) == 2
    assert "\n" not in warnings[0]


@pytest.mark.parametrize(
    "never",
    [
        ForeignFeaturesError("model spikes/2", "another", FEATURE_SET_HASH, "spikes"),
        UnsoundModelError("spikes/2", "it has no features", "Train again"),
    ],
)
def test_only_what_can_never_be_used_is_not_tried_again(never):
    warnings, versions = [], Versions({1: model("spikes/1"), 2: never, 3: DAMAGED}, champion=1)
    champion = followed(versions, warnings.append)
    loads = []
    load = versions.load
    versions.load = lambda case, version, features: (
        loads.append(version), load(case, version, features)
    )[1]  # fmt: skip
    for number in (1, 2, 3, 2):
        versions.aliases["champion"] = number
        settle(champion)
        settle(champion)
    assert loads.count(1) == 1
    assert loads.count(2) == 2  # once for each time that it became champion
    assert loads.count(3) > 2
    assert champion.model.label == "spikes/1"


def test_a_model_that_the_machines_refuse_is_not_swapped_in():
    tries = []

    def try_out(tried):
        tries.append(tried.label)
        if tried.label == "spikes/2":
            why = "it asks for a feature that is none"
            raise UnsoundModelError(tried.label, why, "Train again")

    warnings, machine = [], Machine()
    versions = Versions({1: model("spikes/1"), 2: model("spikes/2")}, champion=1)
    champion = followed(versions, warnings.append, try_out=try_out)
    settle(champion, machine)
    versions.aliases["champion"] = 2
    settle(champion, machine)
    settle(champion, machine)
    assert machine.swaps == ["spikes/1"]
    assert "a feature that is none" in warnings[0]
    assert tries == ["spikes/1", "spikes/2"]


def test_what_fails_is_tried_less_and_less_often():
    tries, versions = [], Versions({1: DAMAGED}, champion=1)
    load = versions.load
    versions.load = lambda *words: (tries.append(time.monotonic()), load(*words))[1]
    champion = Follower(
        versions, "spikes", FEATURE_SET_HASH, refresh_s=0.01, warn=lambda _line: None
    )
    ends_s = time.monotonic() + 0.5

    def over():
        champion.bring([])
        return time.monotonic() > ends_s

    until(over)
    assert 3 <= len(tries) <= 7  # 10, 20, 40, … ms, instead of each 10 ms


class Slow(Versions):
    """A registry that loads when it is allowed to."""

    def __init__(self, *models, **aliases):
        super().__init__(*models, **aliases)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def load(self, *words):
        self.begun.set()
        assert self.go_on.wait(30)
        return super().load(*words)


MODELS = {n: model(f"spikes/{n}") for n in (1, 2, 3)}


@pytest.fixture
def slow():
    """A follower of champion 1, its machine, and a registry that is slow from then on."""
    versions, machine = Slow(MODELS, champion=1), Machine()
    champion = followed(versions)
    settle(champion, machine)
    versions.begun.clear()
    versions.go_on.clear()
    yield versions, champion, machine
    versions.go_on.set()
    champion.leave()


def promoted(versions, champion, machine, number):
    """A promotion whose model is being loaded."""
    versions.aliases["champion"] = number
    until(lambda: champion.bring([machine]) or versions.begun.is_set())


def test_records_go_on_while_a_model_is_loaded(slow):
    versions, champion, machine = slow
    promoted(*slow, 2)
    for _ in range(1000):  # batches of records
        champion.bring([machine])
    assert machine.swaps == ["spikes/1"]
    versions.go_on.set()
    settle(champion, machine)
    assert machine.swaps == ["spikes/1", "spikes/2"]


@pytest.mark.parametrize(("last", "swaps"), [(3, ["spikes/3"]), (1, []), (None, [None])])
def test_the_last_word_wins_over_what_is_being_loaded(slow, last, swaps):
    """Promoted again, rolled back, or removed, while the load is under way."""
    versions, champion, machine = slow
    promoted(*slow, 2)
    versions.aliases["champion"] = last
    versions.go_on.set()
    settle(champion, machine)
    assert machine.swaps == ["spikes/1", *swaps]


def test_a_candidate_is_followed_until_it_is_champion_or_cannot_be_loaded():
    warnings = []
    damaged = RegistryError("spikes/4", "its onnx are not what was registered", "Train again")
    versions = Versions({2: model("spikes/2"), 3: model("spikes/3"), 4: damaged}, champion=1)
    candidate = followed(versions, warnings.append, alias="candidate")
    shadow, labels = Shadow(MARKET), []
    for moves in (
        {}, {"candidate": 2}, {"candidate": 3}, {"champion": 3}, {"champion": 2},
        {"candidate": 4}, {}, {"candidate": 2},
    ):  # fmt: skip
        versions.aliases |= moves
        settle(candidate, shadow)
        assert shadow._scorer.model is candidate.model
        labels.append(candidate.model and candidate.model.label)
    assert labels == [None, "spikes/2", "spikes/3", None, "spikes/3", None, None, None]
    assert warnings == [f"{damaged} Nothing shadows the champion meanwhile."]


FAULTS = st.sampled_from([None, None, UNREAD, OSError(5, "Input/output error")])


@given(
    st.lists(
        st.tuples(st.sampled_from([None, 1, 2, 3]), FAULTS, st.sets(st.sampled_from([1, 2, 3]))),
        max_size=8,
    ),
    st.sampled_from([None, 1, 2, 3]),
)
def test_whatever_broke_meanwhile_the_model_is_in_the_end_what_the_alias_points_at(moves, last):
    versions, machine = Broken(dict(MODELS)), Machine()
    champion = followed(versions, lambda _line: None, patient=True)
    for number, broken, damaged in moves:
        versions.aliases["champion"], versions.broken = number, broken
        versions.models = MODELS | dict.fromkeys(damaged, DAMAGED)
        champion.bring([machine])
    champion.leave()
    versions.aliases["champion"], versions.broken, versions.models = last, None, MODELS
    settle(champion, machine)
    assert champion.model is (MODELS[last] if last else None)
    assert [None, *machine.swaps][-1] == (champion.model and champion.model.label)
    assert all(a != b for a, b in zip([None, *machine.swaps], machine.swaps, strict=False))
