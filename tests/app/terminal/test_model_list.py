"""The list of a case's models says what is of use, within 80 columns."""

import shutil
import time

import pytest

from barograph.app.terminal.model_list import audit, listed, table
from barograph.registry.audit import Promotion
from barograph.registry.registry import Registry
from registered_models import SECOND, facts_of, graph
from screen_text import text_of

S = 10**9
FIGURES = {"chosen": {"pr_auc": 0.4321, "base_rate": 0.098, "recall": None}}


@pytest.fixture
def registry(made_home, tmp_path):
    return Registry(shutil.copytree(made_home, tmp_path / "home"))


def register(registry, decision="Keep: 4 independent positives", **facts):
    onnx = graph()
    return registry.register("spikes", onnx, facts_of(onnx, **facts), {"decision": decision})


def words_of(shown):
    return " ".join(text_of(shown).split())


@pytest.mark.slow
def test_a_list_of_nothing_says_how_to_begin(registry):
    assert listed(registry, "spikes", SECOND) == []
    assert "barograph train --case spikes" in words_of(table("spikes", "spikes", []))


@pytest.mark.slow
def test_a_version_is_listed_with_what_decides_whether_it_is_of_use(registry):
    register(registry, scores=FIGURES, expires_time_ns=SECOND + S)
    (version,) = listed(registry, "spikes", SECOND + S)
    assert (version.version, version.expired) == (1, False)
    assert version.train_end_ns == SECOND + 10**13
    assert version.created_time_ns == SECOND + 2 * 10**13
    assert version.scores == FIGURES["chosen"]
    assert version.decision == "Keep: 4 independent positives"
    shown = words_of(table("spikes", "spikes", [version]))
    assert "0.43" in shown
    assert "of 0.10" in shown
    assert "1 Keep: 4 independent positives" in shown


@pytest.mark.slow
def test_one_that_expired_by_the_clock_says_so_and_one_without_an_end_never_does(registry):
    register(registry, expires_time_ns=SECOND)
    register(registry)
    assert [each.expired for each in listed(registry, "spikes", SECOND)] == [False, False]
    later = listed(registry, "spikes", SECOND + 1)
    assert [each.expired for each in later] == [True, False]
    assert words_of(table("spikes", "spikes", later)).count("EXPIRED") == 1


@pytest.mark.slow
def test_one_whose_facts_were_touched_says_so_and_the_others_are_listed(registry):
    register(registry)
    register(registry)
    facts = registry._store.artifacts(registry.versions("spikes")[0].run_id) / "facts.json"
    facts.write_bytes(facts.read_bytes().replace(b"0.4", b"0.1"))
    damaged, sound = listed(registry, "spikes", SECOND)
    assert "its facts.json is not what was registered" in damaged.fault
    assert damaged.created_time_ns is None
    assert sound.fault == ""
    shown = words_of(table("spikes", "spikes", [damaged, sound]))
    assert "spikes/1: its facts.json is not" in shown


@pytest.mark.slow
def test_the_longest_names_fit_into_eighty_columns(registry):
    register(registry, candidate="gradient_boosting_regression", scores=FIGURES,
             expires_time_ns=SECOND)  # fmt: skip
    for alias in ("candidate", "champion"):
        registry.set_alias("spikes", alias, 1)
    shown = text_of(table("spikes", "spikes", listed(registry, "spikes", time.time_ns())))
    for word in ("candidate", "champion", "EXPIRED", "0.43", "2025-12-06", "11:20", "08:33"):
        assert word in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_audit_says_who_came_in_whose_place_and_why():
    entries = [
        Promotion(time_ns=SECOND, action="promote", version=1, previous=None, reason="[the] first"),
        Promotion(time_ns=SECOND, action="rollback", version=1, previous=2, reason="it\x1b[2J"),
    ]
    shown = text_of(audit("spikes", entries))
    assert "2025-12-06 05:46:40Z  promote spikes/1: [the] first" in shown
    assert "rollback spikes/1, replacing spikes/2: it\\x1b[2J" in shown
    assert text_of(audit("spikes", [])).strip() == "no version of spikes has been champion yet"
