"""A home whose case has a champion that nobody trained."""

import shutil
import tempfile
from pathlib import Path

from barograph.registry.registry import Registry
from registered_models import facts_of, graph

_made = {}
"""Text of the changes → a home that was made with them, to be copied."""


def crowned(made_home, home, **changes):
    """Fill `home` from the fixture `made_home`: a model registered twice, the first promoted.

    Returns the registry.
    """
    words = repr((made_home, changes))
    if words not in _made:
        _made[words] = _crowned_home(made_home, changes)
    shutil.copytree(_made[words], home, dirs_exist_ok=True)
    return Registry(home)


def _crowned_home(made_home, changes):
    """A home beside `made_home`, which goes when that goes."""
    home = Path(tempfile.mkdtemp(prefix="crowned-", dir=made_home.parent))
    shutil.copytree(made_home, home, dirs_exist_ok=True)
    registry, onnx = Registry(home), graph()
    for _ in range(2):
        registry.register("spikes", onnx, facts_of(onnx, **changes))
    registry.promote("spikes", 1, "for a test")
    return home
