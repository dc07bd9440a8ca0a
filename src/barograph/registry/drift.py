"""What the drift of live rows is measured against: an artifact of a version, beside its graph."""

from barograph.errors import RegistryError
from barograph.evaluation.drift import Reference, decoded, encoded
from barograph.registry.artifacts import hash_name
from barograph.registry.model import RETRAIN
from barograph.registry.registry import Registry

FILE = "drift.json"

WITHOUT = "it was registered without a drift reference; the next training keeps one"
"""Why there is no drift of a version."""


def attach_reference(registry: Registry, case: str, version: int, reference: Reference) -> None:
    """Store a version's reference. Raises RegistryError as `Registry.attach` does."""
    registry.attach(case, version, FILE, encoded(reference))


def reference_of(registry: Registry, case: str, version: int) -> Reference | None:
    """The reference of a version; None where it was registered without one.

    Raises RegistryError for one that is damaged, and where there is no such version.
    """
    known = registry.version(case, version)
    if known is not None and hash_name(FILE) not in known.tags:
        return None
    try:
        return decoded(registry.attached(case, version, FILE))
    except ValueError as error:
        why = f"its {FILE} cannot be read ({error})"
        raise RegistryError(f"{case}/{version}", why, RETRAIN) from error
