import shutil

import pytest

from barograph.errors import RegistryError
from barograph.registry.drift import FILE, attach_reference, reference_of
from barograph.registry.registry import Registry
from drifting_rows import reference_of as made_of
from drifting_rows import remembering
from registered_models import facts_of, graph

REFERENCE = made_of(remembering(300))


@pytest.fixture(scope="module")
def registry(made_home, tmp_path_factory):
    known = Registry(shutil.copytree(made_home, tmp_path_factory.mktemp("drift") / "home"))
    for _ in range(2):
        onnx = graph()
        known.register("spikes", onnx, facts_of(onnx))
    return known


def test_a_version_keeps_its_reference_and_an_older_one_has_none(registry):
    attach_reference(registry, "spikes", 2, REFERENCE)
    assert reference_of(registry, "spikes", 2) == REFERENCE
    assert reference_of(registry, "spikes", 1) is None


def test_a_damaged_reference_is_refused_with_a_cure(registry):
    registry.attach("spikes", 1, FILE, b"{}")
    with pytest.raises(RegistryError, match=r"spikes/1: its drift.json cannot be read.*Train"):
        reference_of(registry, "spikes", 1)


def test_a_version_that_is_not_there_is_refused(registry):
    with pytest.raises(RegistryError, match="there is no such version"):
        reference_of(registry, "spikes", 9)
