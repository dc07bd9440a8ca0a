"""Models on a real MLflow server with accounts: trained, promoted, followed live, and outlived."""

import json
import os
import shutil
import threading
import time
from contextlib import closing

import pytest

from barograph import codec
from barograph.app.registries import registry_of
from barograph.app.settings import Settings
from barograph.app.wiring import stages
from barograph.cases.spikes import SPIKES
from barograph.errors import RegistryError, RegistryServerError
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.feed.feed import Feed
from barograph.log import browse, open_log
from barograph.log.topics import PREDICTIONS
from barograph.pipeline.threads import Pipeline
from barograph.registry.drift import attach_reference, reference_of
from barograph.registry.kept_answers import FOLDER
from barograph.registry.registry import Registry
from barograph.registry.server import ServerStore
from barograph.registry.tracking_server import tracking_server
from barograph.simulated.law import PRESETS
from barograph.simulated.market import SimulatedMarket
from barograph.training import card
from barograph.training.train import train
from barograph.venues.entries import Dialect, Heard, Opening
from command_line import call
from customers import CUSTOMERS, customers
from drifting_rows import reference_of as made_reference
from drifting_rows import remembering
from mlflow_servers import PASSWORD, MlflowServer, missing
from quick_training import HOW
from registered_models import facts_of, graph
from waiting import until

pytestmark = pytest.mark.operations

PRODUCTS = ("BTC-USD", "ETH-USD")


@pytest.fixture(scope="module")
def server(made_home, tmp_path_factory):
    """One server for all, at a path as DagsHub has it; in CI its absence is a failure."""
    if reason := missing():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("mlflow")
    with MlflowServer(folder, made_home, prefix="/ann/storms.mlflow") as started:
        yield started


@pytest.fixture
def settings(server, tmp_path, monkeypatch):
    for name, text in server.variables().items():
        monkeypatch.setenv(name, text)
    (tmp_path / "home").mkdir()
    return Settings(home=tmp_path / "home")


@pytest.fixture
def run(settings, monkeypatch, capfdbinary):
    """Call a verb for the home of `settings`; its answer from JSON, and its exit code."""

    def call_verb(*words):
        words = (*words, "--home", settings.home, "--json")
        code, out, err = call(monkeypatch, capfdbinary, *words)
        assert PASSWORD not in out + err
        return (json.loads(out) if out else err), code

    return call_verb


@pytest.fixture(params=["home", "server"])
def registry(request, made_home, tmp_path):
    """The same of both stores."""
    if request.param == "home":
        return Registry(shutil.copytree(made_home, tmp_path / "own"))
    return registry_of(request.getfixturevalue("settings"))


def named(case, **changes):
    """Facts and graph of a model of a case that no other test has."""
    onnx = graph(changes.pop("bias", 0.0))
    return onnx, facts_of(onnx, case=case, **changes)


def test_whatever_keeps_them_models_are_the_same(registry):
    case = "what it's worth 24h"
    assert registry.versions(case) == []
    assert registry.history(case) == []
    with pytest.raises(RegistryError, match="no champion before it"):
        registry.rollback(case)
    for bias in (0.0, 1.0):
        onnx, facts = named(case, bias=bias)
        registry.register(case, onnx, facts, {"l2": "0.1"})
    first, second = registry.versions(case)
    assert (first.version, second.version) == (1, 2)
    assert first.tags["l2"] == "0.1"
    registry.set_alias(case, "candidate", 2)
    registry.promote(case, 1, "first")
    registry.promote(case, 2, "second")
    assert registry.rollback(case).version == 1
    assert [each.aliases for each in registry.versions(case)] == [("champion",), ("candidate",)]
    assert [(each.action, each.version, each.previous) for each in registry.history(case)] == [
        ("promote", 1, None), ("promote", 2, 1), ("rollback", 1, 2)
    ]  # fmt: skip
    onnx, facts = named(case)
    model = registry.load(case, "champion", FEATURE_SET_HASH)
    assert (model.label, model.facts) == (f"{case}/1", facts)
    assert registry.attached(case, 1, "model.onnx") == onnx
    for content in (b"{1}", b"{2}"):
        registry.attach(case, 1, "card.json", content)
        assert registry.attached(case, 1, "card.json") == content
    with pytest.raises(RegistryError, match=r"page\.html"):
        registry.attached(case, 2, "page.html")
    reference = made_reference(remembering(300))
    attach_reference(registry, case, 2, reference)
    assert reference_of(registry, case, 2) == reference
    assert reference_of(registry, case, 1) is None
    for act in (
        lambda: registry.load(case, 7, FEATURE_SET_HASH), lambda: registry.promote(case, 7, "why")
    ):  # fmt: skip
        with pytest.raises(RegistryError, match="/7: there is no such version"):
            act()
    with pytest.raises(RegistryError, match="MLflow refused"):
        registry.register("a:b", *named("a:b"))


def test_a_file_that_was_changed_on_the_server_is_refused(server, settings):
    registry = registry_of(settings)
    registry.register("touched", *named("touched", bias=3.0))
    [model] = server.artifacts("model.onnx", graph(3.0))
    model.write_bytes(graph(9.0))
    with pytest.raises(RegistryError, match=r"its model\.onnx is not what was registered"):
        registry.promote("touched", 1, "why")
    assert registry.champion_version("touched") is None
    assert not list((settings.home / FOLDER).glob("**/*.partial"))


def test_two_writers_at_once_lose_no_entry_and_the_one_that_lost_is_told(settings, tmp_path):
    """Between them lies what a lock file holds apart where both have one home."""
    one, other = registry_of(settings), registry_of(Settings(home=tmp_path))
    for _ in range(2):
        one.register("contested", *named("contested"))

    class Late(ServerStore):
        """Another process promotes between this one's alias and its entry in the history."""

        def alias(self, case, alias):
            found = super().alias(case, alias)
            if threading.current_thread() is late and found == 1:
                other.promote(case, 2, "the other")
                found = super().alias(case, alias)
            return found

    refusals = []

    def promote():
        try:
            registry.promote("contested", 1, "this one")
        except RegistryError as error:
            refusals.append(str(error))

    registry = Registry(settings.home, store=Late(settings.home, tracking_server()))
    late = threading.Thread(target=promote)
    late.start()
    late.join()
    assert "another process made contested/2 the champion at the same moment" in refusals[0]
    assert one.champion_version("contested") == 2
    assert {each.version for each in one.history("contested")} == {1, 2}


def test_trainings_promotions_and_their_history_are_on_the_server(settings, run):
    registry = registry_of(settings)
    first = train(CUSTOMERS, customers(), registry, HOW, clock_ns=time.time_ns)
    assert first.gate.decision.promote, first.gate.decision.reasons
    second = train(CUSTOMERS, customers(4000, seed=1), registry, HOW, clock_ns=time.time_ns)
    assert (first.model.version, second.model.version) == (1, 2)
    case = ("--case", "customers:CUSTOMERS")
    listed, code = run("models", "list", *case)
    assert (code, [each["version"] for each in listed["versions"]]) == (0, [1, 2])
    promoted, code = run("models", "promote", "2", *case, "--reason", "by hand")
    assert (code, promoted["version"]) == (0, 2)
    assert run("models", "rollback", *case)[0]["version"] == 1
    history = run("models", "history", *case)[0]["promotions"]
    assert [each["action"] for each in history][-2:] == ["promote", "rollback"]
    assert run("models", "show", *case)[0]["facts"]["case"] == "customers"
    kept = registry.attached("customers", 1, card.FILE)
    assert card.decoded(kept, "customers/1").training.model.version == 1
    assert registry.judged("customers")
    assert not (settings.home / "registry").exists()


class Market:
    """A simulated market, and a feed that hears it into a home."""

    def __init__(self, feed):
        self._market = SimulatedMarket(PRESETS["market"], PRODUCTS, 5, 1_750_000_000 * 10**9)
        self._feed = feed
        feed.take(Opening(connection="simulated", dialect=Dialect.EXCHANGE))

    def goes_on(self, seconds):
        for frame in self._market.advance(seconds):
            self._feed.take(Heard(frame, Dialect.EXCHANGE))
        self._feed.commit()


def newest_model(log):
    newest = browse.last(log, PREDICTIONS, 1)
    return codec.decode_prediction.of(newest[-1]).model if newest else None


def test_a_live_run_follows_the_champion_of_a_server_and_outlives_it(server, settings, run):
    registry, home, warned = registry_of(settings), settings.home, []
    for bias in (0.0, 1.0):
        registry.register("spikes", *named("spikes", bias=bias))
    registry.promote("spikes", 1, "first")
    with closing(open_log(home)) as log, closing(Feed(log, home / "archive")) as feed:
        market = Market(feed)

        def comes_to_predict_with(label):
            """Wait until the newest prediction is of this model, while the market goes on."""

            def predicts():
                market.goes_on(2)
                return newest_model(log) == label

            until(predicts, pause_s=0.1)

        with Pipeline(stages(settings, home, SPIKES, warned.append)):
            market.goes_on(90)
            comes_to_predict_with("spikes/1")
            assert run("models", "promote", "2")[1] == 0
            comes_to_predict_with("spikes/2")
            assert run("models", "rollback")[0]["version"] == 1
            comes_to_predict_with("spikes/1")
            server.kill()
            until(lambda: "The last known champion, spikes/1, stays." in "".join(warned))
            comes_to_predict_with("spikes/1")
        it_says_that_the_server_is_away(run, registry)
        with Pipeline(stages(settings, home, SPIKES, warned.append)):  # a start without it
            before = browse.last(log, PREDICTIONS, 1)
            market.goes_on(30)
            until(lambda: browse.last(log, PREDICTIONS, 1) != before)
            comes_to_predict_with("spikes/1")
            server.start()
            until(lambda: "can be used again: champion is spikes/1" in "".join(warned))
            assert run("models", "promote", "2")[1] == 0
            comes_to_predict_with("spikes/2")
    doctor_comes_to_say(run, registry="answers to admin", model="champion spikes/2 loads")
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in content for content in files)
    assert PASSWORD not in "".join(warned)


def doctor_comes_to_say(run, **texts):
    """Ask until it does: a look has three seconds, which a busy machine may not have."""

    def says():
        answer, _ = run("doctor", "--for", "report")
        found = {each["name"]: each["text"] for each in answer["findings"]}
        return all(text in found[name] for name, text in texts.items())

    until(says)


def it_says_that_the_server_is_away(run, registry):
    doctor_comes_to_say(run, registry="cannot be reached", model="the last known one")
    assert run("doctor", "--for", "report")[1] == 1
    with pytest.raises(RegistryServerError, match="cannot be reached"):
        registry.champion_version("spikes")
    answer, code = run("models", "list")
    assert (code, "cannot be reached" in str(answer)) == (2, True)
