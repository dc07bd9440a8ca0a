"""A version in the registry's list: its facts as text, and what is read from them."""

import msgspec
import pytest

from barograph.errors import RegistryError
from barograph.registry.model import sha256_of
from barograph.registry.versions import Version, figures_of, tags_of
from registered_models import SECOND, facts_of, graph

ONNX = graph()


def version(**tags):
    return Version(version=3, run_id="r", aliases=(), tags=tags)


def test_its_facts_as_text_hold_the_hashes_of_what_is_stored_and_no_scores():
    facts = facts_of(ONNX, expires_time_ns=SECOND)
    tags = tags_of(facts, b"facts")
    assert tags["onnx_sha256"] == sha256_of(ONNX)
    assert tags["facts_sha256"] == sha256_of(b"facts")
    assert msgspec.json.decode(tags["tau"]) == facts.tau
    assert tags["case"] == "spikes"
    assert "scores" not in tags
    assert set(map(type, tags.values())) == {str}
    assert version(**tags).time_ns("expires_time_ns") == SECOND


def test_a_time_that_it_does_not_have_is_none():
    assert version(**tags_of(facts_of(ONNX), b"")).time_ns("expires_time_ns") is None
    assert version().time_ns("expires_time_ns") is None


def test_a_time_that_somebody_made_a_word_is_a_declared_error():
    with pytest.raises(RegistryError, match="model 3: its tag expires_time_ns is damaged"):
        version(expires_time_ns="soon").time_ns("expires_time_ns")


def test_its_figures_are_the_scores_that_are_defined():
    # exact: written and read back
    assert dict(figures_of(facts_of(ONNX))) == {"test.pr_auc": 0.31, "persistence.pr_auc": 0.25}
