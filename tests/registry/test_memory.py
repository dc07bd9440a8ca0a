"""The store in memory keeps what the others keep; `test_registry_on_a_server` runs all three."""

import pytest

from barograph.errors import RegistryError
from barograph.registry.memory import MemoryStore
from barograph.registry.registry import Registry
from registered_models import facts_of, graph


def test_versions_aliases_and_files_are_kept_and_nothing_is_written(tmp_path):
    registry = Registry(tmp_path, store=MemoryStore())
    onnx = graph()
    assert registry.versions("spikes") == []
    assert registry.register("spikes", onnx, facts_of(onnx), judged=[(1, 5)]) == 1
    assert registry.register("spikes", onnx, facts_of(onnx)) == 2
    registry.promote("spikes", 1, "first")
    registry.promote("spikes", 2, "second")
    assert registry.rollback("spikes").version == 1
    assert [one.version for one in registry.history("spikes")] == [1, 2, 1]
    assert registry.load("spikes", "champion", None).facts == facts_of(onnx)
    assert registry.judged("spikes") == [(1, 5)]
    registry.attach("spikes", 1, "card.json", b"{}")
    assert registry.attached("spikes", 1, "card.json") == b"{}"
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_an_error_as_elsewhere(tmp_path):
    registry = Registry(tmp_path, store=MemoryStore())
    onnx = graph()
    registry.register("spikes", onnx, facts_of(onnx))
    with pytest.raises(RegistryError, match=r"it has no card\.json"):
        registry.attached("spikes", 1, "card.json")
    with pytest.raises(RegistryError, match="no such version"):
        registry.facts("spikes", 2)
