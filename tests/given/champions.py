"""A home whose case has a champion that nobody trained."""

from barograph.registry.registry import Registry
from registered_models import facts_of, graph


def crowned(home, **changes):
    """Register the same model twice, and promote the first; returns the registry."""
    registry, onnx = Registry(home), graph()
    for _ in range(2):
        registry.register("spikes", onnx, facts_of(onnx, **changes))
    registry.promote("spikes", 1, "for a test")
    return registry
