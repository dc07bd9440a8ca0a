import pickle
import shutil
import sqlite3
from contextlib import closing

import msgspec
import numpy as np
import pytest

from barograph.errors import ForeignFeaturesError, RegistryError
from barograph.evaluation.conformal import IntervalState, LevelRule, SlotState
from barograph.feature_set.catalogue import FEATURE_SET_HASH
from barograph.registry import database
from barograph.registry.model import LevelFacts, sha256_of
from barograph.registry.registry import Registry
from registered_models import FEATURES, SECOND, facts_of, graph


@pytest.fixture
def home(made_home, tmp_path):
    # The odd characters are those that an address of a database could trip over.
    return shutil.copytree(made_home, tmp_path / "home of ü%20 & #1")


@pytest.fixture
def registry(home):
    return Registry(home)


def register(registry: Registry, bias: float = 0.0, **changes) -> int:
    onnx = graph(bias)
    return registry.register("spikes", onnx, facts_of(onnx, **changes), {"l2": "0.1"})


def test_a_home_without_a_registry_has_no_models_and_stays_untouched(tmp_path):
    registry = Registry(tmp_path / "home")

    assert registry.champion_version("spikes") is None
    assert registry.versions("spikes") == []
    assert registry.history("spikes") == []
    assert not (tmp_path / "home").exists()


def test_a_rollback_where_nothing_was_promoted_makes_no_registry(tmp_path):
    with pytest.raises(RegistryError, match="there was no champion before it"):
        Registry(tmp_path / "home").rollback("spikes")
    assert not (tmp_path / "home").exists()


@pytest.mark.slow
def test_versions_count_from_one_and_carry_their_facts(registry):
    assert [register(registry), register(registry, bias=1.0)] == [1, 2]

    first, second = registry.versions("spikes")

    assert (first.version, second.version) == (1, 2)
    assert first.tags["feature_set"] == FEATURE_SET_HASH
    # exact: written and read back
    assert msgspec.json.decode(first.tags["tau"]) == {"BTC-USD": 5.6e-5, "ETH-USD": 7e-5}
    assert first.tags["train_start_ns"] == str(SECOND)
    assert first.tags["onnx_sha256"] == sha256_of(graph())
    assert registry.versions("churn") == []


@pytest.mark.slow
def test_what_was_registered_is_what_is_loaded(registry):
    onnx = graph(bias=0.3)
    version = registry.register("spikes", onnx, facts_of(onnx))
    model = registry.load("spikes", version, FEATURE_SET_HASH)

    assert model.label == "spikes/1"
    assert model.facts == facts_of(onnx)
    row = np.full((1, 2), 5e-5, np.float32)
    z = 1.5 * (np.log(np.float64(row[0, 0])) + 10) + 0.3
    assert model.onnx.predict(row)[0] == pytest.approx(1 / (1 + np.exp(-z)), abs=1e-12)


@pytest.mark.slow
def test_reading_agrees_with_the_client_of_mlflow(registry):
    register(registry)
    register(registry, bias=1.0)
    registry.promote("spikes", 1, "the first")
    registry.set_alias("spikes", "candidate", 2)
    client = registry._store.client

    for version in registry.versions("spikes"):
        theirs = client.get_model_version("spikes", str(version.version))
        assert version.run_id == theirs.run_id
        assert version.tags == theirs.tags
        assert sorted(version.aliases) == sorted(theirs.aliases)
    for alias in ("candidate", "champion"):
        theirs = client.get_model_version_by_alias("spikes", alias)
        assert registry.version_of("spikes", alias) == int(theirs.version)
    run = client.get_run(registry.versions("spikes")[0].run_id)
    # exact: written and read back
    assert run.data.metrics == {"test.pr_auc": 0.31, "persistence.pr_auc": 0.25}
    assert run.data.params["l2"] == "0.1"
    assert run.info.status == "FINISHED"
    client.delete_model_version("spikes", "2")
    assert [version.version for version in registry.versions("spikes")] == [1]
    assert registry.version_of("spikes", "candidate") is None


@pytest.mark.slow
def test_aliases_move_and_only_the_champions_moves_are_audited(registry):
    for bias in range(3):
        register(registry, bias=bias)

    registry.set_alias("spikes", "candidate", 3)
    registry.promote("spikes", 1, "beats persistence: [0.02, 0.09]")
    registry.set_alias("spikes", "champion", 2)

    assert registry.champion_version("spikes") == 2
    assert registry.version_of("spikes", "candidate") == 3
    assert [(p.action, p.version, p.previous, p.reason) for p in registry.history("spikes")] == [
        ("promote", 1, None, "beats persistence: [0.02, 0.09]"),
        ("promote", 2, 1, "set by hand"),
    ]


@pytest.mark.slow
def test_rollback_walks_back_through_the_champions(registry):
    for bias in range(4):
        register(registry, bias=bias)
    for version in (1, 2, 2, 3):
        registry.promote("spikes", version, "gate")

    assert registry.rollback("spikes").version == 2
    assert registry.rollback("spikes", "alarms at night").version == 1
    with pytest.raises(RegistryError, match="no champion before it"):
        registry.rollback("spikes")
    assert registry.champion_version("spikes") == 1

    registry.promote("spikes", 4, "gate")
    assert registry.rollback("spikes").version == 1
    assert [p.action for p in registry.history("spikes")][-4:] == [
        "rollback",
        "rollback",
        "promote",
        "rollback",
    ]


@pytest.mark.slow
def test_a_rollback_after_a_promotion_that_died_before_its_audit_finds_the_former(registry):
    register(registry)
    register(registry, bias=1.0)
    registry.promote("spikes", 1, "gate")
    registry._store.client.set_registered_model_alias("spikes", "champion", "2")

    assert registry.rollback("spikes").version == 1


@pytest.mark.slow
def test_a_version_or_alias_that_is_not_there_is_named(registry):
    register(registry)

    for act in (
        lambda: registry.load("spikes", 7, FEATURE_SET_HASH),
        lambda: registry.promote("spikes", 7, "why"),
        lambda: registry.set_alias("spikes", "candidate", 7),
    ):
        with pytest.raises(RegistryError, match="spikes/7: there is no such version"):
            act()
    with pytest.raises(
        RegistryError, match=r"newest, 1, was not promoted.*models promote 1 --case spikes"
    ):
        registry.load("spikes", "champion", FEATURE_SET_HASH)


@pytest.mark.slow
def test_a_home_can_be_moved(registry, home, tmp_path):
    register(registry)
    home.rename(tmp_path / "elsewhere")
    moved = Registry(tmp_path / "elsewhere")

    assert register(moved, bias=1.0) == 2
    assert [moved.load("spikes", version, FEATURE_SET_HASH).label for version in (1, 2)] == [
        "spikes/1",
        "spikes/2",
    ]
    assert not home.exists()


def artifact(registry: Registry, name: str, version: int = 1):
    run = registry.versions("spikes")[version - 1].run_id
    return registry._store.artifacts(run) / name


def truncated(path):
    path.write_bytes(path.read_bytes()[:-20])


def swapped(path):
    path.write_bytes(graph(bias=9.0))


def pickled(path):
    path.write_bytes(pickle.dumps({"weights": [1.0]}))


def edited(path):
    path.write_bytes(path.read_bytes().replace(b'"threshold":0.4', b'"threshold":0.1'))


def removed(path):
    path.unlink()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "poison", "why"),
    [
        ("model.onnx", truncated, "its model.onnx is not what was registered"),
        ("model.onnx", swapped, "its model.onnx is not what was registered"),
        ("model.onnx", pickled, "its model.onnx is not what was registered"),
        ("model.onnx", removed, "cannot be read"),
        ("facts.json", edited, "its facts.json is not what was registered"),
        ("facts.json", truncated, "its facts.json is not what was registered"),
        ("facts.json", removed, "cannot be read"),
    ],
)
def test_a_poisoned_version_is_neither_loaded_nor_promoted(registry, name, poison, why):
    register(registry)
    poison(artifact(registry, name))

    for act in (
        lambda: registry.load("spikes", 1, FEATURE_SET_HASH),
        lambda: registry.promote("spikes", 1, "why"),
    ):
        with pytest.raises(RegistryError, match=why) as refused:
            act()
        assert "barograph train" in str(refused.value)
    assert registry.champion_version("spikes") is None


def test_poison_whose_hashes_were_forged_is_still_no_model(registry, home):
    register(registry)
    pickled(artifact(registry, "model.onnx"))
    forged = sha256_of(artifact(registry, "model.onnx").read_bytes())
    facts = artifact(registry, "facts.json")
    facts.write_bytes(facts.read_bytes().replace(sha256_of(graph()).encode(), forged.encode()))
    with closing(sqlite3.connect(home / "registry" / "mlflow.db")) as database, database:
        for key, value in (
            ("onnx_sha256", forged),
            ("facts_sha256", sha256_of(facts.read_bytes())),
        ):
            database.execute("UPDATE model_version_tags SET value = ? WHERE key = ?", (value, key))

    with pytest.raises(RegistryError, match="spikes/1: not a valid ONNX graph"):
        registry.load("spikes", 1, FEATURE_SET_HASH)


@pytest.mark.parametrize(
    ("onnx", "changes", "why"),
    [
        (pickle.dumps({}), {}, "not a valid ONNX graph"),
        (graph(), {"sha256": "0" * 64}, "facts are of another graph"),
        (graph(), {"features": FEATURES[:1]}, "its input is not"),
        (graph(), {"case": "churn"}, "facts are of case 'churn'"),
    ],
)
def test_what_would_not_load_is_not_registered(registry, onnx, changes, why):
    with pytest.raises(RegistryError, match=why):
        registry.register("spikes", onnx, facts_of(onnx, **changes))
    assert registry.versions("spikes") == []


def test_a_model_of_another_feature_set_is_refused_until_asked_for(registry):
    register(registry, feature_set="0123456789abcdef")

    with pytest.raises(ForeignFeaturesError, match=r"model spikes/1 was made with .* 0123456789"):
        registry.load("spikes", 1, FEATURE_SET_HASH)
    assert registry.load("spikes", 1, feature_set="0123456789abcdef").label == "spikes/1"


def test_a_name_that_mlflow_refuses_is_a_declared_error(registry):
    onnx = graph()
    with pytest.raises(RegistryError, match="MLflow refused"):
        registry.register("spikes:new", onnx, facts_of(onnx, case="spikes:new"))


def test_a_file_that_is_no_database_is_a_declared_error(tmp_path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "mlflow.db").write_bytes(b"this is not a database " * 100)
    registry = Registry(tmp_path)
    onnx = graph()

    for act in (
        lambda: registry.champion_version("spikes"),
        lambda: registry.register("spikes", onnx, facts_of(onnx)),
    ):
        with pytest.raises(RegistryError, match=r"mlflow\.db: the database cannot be read"):
            act()


@pytest.mark.slow
def test_what_a_killed_registration_left_goes_with_whoever_writes_next(registry):
    """A run that another program keeps there stays."""
    register(registry)
    runs = []
    for tags in ({"kind": "version"}, {}):
        with registry._store.writing("spikes"):
            mlflow = registry._store.client
            run = mlflow.create_run(
                mlflow.get_experiment_by_name("spikes").experiment_id, tags=tags
            )
            place = registry._store.artifacts(run.info.run_id)
            place.mkdir(parents=True)
            (place / "model.onnx").write_bytes(b"half")
            runs.append(place)
    with registry._store.writing("spikes"):
        assert registry._store.client.get_run(runs[0].parent.name).info.status == "KILLED"
    assert [place.parent.exists() for place in runs] == [False, True]
    assert registry.load("spikes", 1, FEATURE_SET_HASH)


@pytest.mark.slow
def test_what_is_attached_is_read_as_it_was_kept_or_refused(registry, home):
    version = register(registry)
    registry.attach("spikes", version, "card.json", b"{1}")
    registry.attach("spikes", version, "card.json", b"{2}")
    assert registry.attached("spikes", version, "card.json") == b"{2}"
    (path,) = home.glob("registry/artifacts/*/artifacts/card.json")
    path.write_bytes(b"{3}")
    with pytest.raises(RegistryError, match=r"its card\.json is not what was attached"):
        registry.attached("spikes", version, "card.json")
    path.with_name("page.html").write_bytes(b"of a version that kept no hash")
    assert registry.attached("spikes", version, "page.html").startswith(b"of a")


def test_a_database_that_is_gone_beside_its_artifacts_is_no_empty_registry(registry, home):
    register(registry)
    (home / "registry" / "mlflow.db").unlink()
    with pytest.raises(RegistryError, match="the database is gone"):
        Registry(home).versions("spikes")


@pytest.mark.slow
def test_a_database_that_was_left_half_made_is_made_anew(tmp_path):
    (tmp_path / "registry").mkdir()
    for left in ("mlflow.1.making", "mlflow.1.making-journal"):
        (tmp_path / "registry" / left).write_bytes(b"half")
    registry = Registry(tmp_path)

    assert registry.champion_version("spikes") is None
    assert register(registry) == 1
    assert {path.name for path in (tmp_path / "registry").iterdir()} == {
        "artifacts",
        "lock",
        "mlflow.db",
    }


@pytest.mark.slow
def test_the_champion_is_read_while_another_connection_writes(registry, home):
    register(registry)
    registry.promote("spikes", 1, "gate")
    with closing(sqlite3.connect(home / "registry" / "mlflow.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE registered_model_aliases SET version = 9")
        assert registry.champion_version("spikes") == 1
        writer.execute("ROLLBACK")


def test_a_database_that_stays_locked_is_a_declared_error(registry, home, monkeypatch):
    monkeypatch.setattr(database, "_READ_WAIT_S", 0.05)
    with closing(sqlite3.connect(home / "registry" / "mlflow.db", isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RegistryError, match="locked"):
            registry.champion_version("spikes")


def test_a_registry_that_may_not_be_written_is_a_declared_error(tmp_path):
    (tmp_path / "registry").write_text("a file in the way: not even root can make a folder here")
    onnx = graph()
    with pytest.raises(RegistryError, match=r"cannot be read \(Not a directory\)"):
        Registry(tmp_path).register("spikes", onnx, facts_of(onnx))


@pytest.mark.slow
def test_facts_of_hundreds_of_keys_with_intervals_are_read_again_and_stand_in_no_tag(registry):
    rule = LevelRule()
    state = IntervalState([SlotState([123_456] * 500, 50_000_000, 50_000_000)] * 4)
    level = LevelFacts(rule=rule, states={f"P{n}-USD": state for n in range(300)})
    version = register(registry, level=level)
    assert registry.load("spikes", version, FEATURE_SET_HASH).facts.level == level
    assert "level" not in registry.versions("spikes")[-1].tags
