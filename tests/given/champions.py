"""A home whose case has a champion that nobody trained."""

import shutil

from barograph.registry.registry import Registry
from registered_models import facts_of, graph


def crowned(made_home, home, **changes):
    """Copy the fixture `made_home` to `home`, register a model twice there, promote the first.

    Returns the registry.
    """
    shutil.copytree(made_home, home, dirs_exist_ok=True)
    registry, onnx = Registry(home), graph()
    for _ in range(2):
        registry.register("spikes", onnx, facts_of(onnx, **changes))
    registry.promote("spikes", 1, "for a test")
    return registry
