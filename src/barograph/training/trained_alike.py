"""Whether a version was trained on the same rows in the same way, so that it need not be again."""

from barograph.registry.artifacts import hash_name
from barograph.registry.registry import Registry
from barograph.training.card import FILE, decoded
from barograph.training.due import Due
from barograph.training.walkforward import Training


def trained_alike(
    registry: Registry, case: str, data_hash: str, how: Training, code_hash: str
) -> Due | list[int]:
    """The version that was trained on these rows with these settings and this code.

    Without one, the versions of such a training that ended before they had a card. Raises
    RegistryError.
    """
    cut_off = []
    for known in reversed(registry.versions(case)):
        if known.tags.get("data_hash") != data_hash:
            continue
        if hash_name(FILE) not in known.tags:
            cut_off.append(known.version)
            continue
        label = f"{case}/{known.version}"
        training = decoded(registry.attached(case, known.version, FILE), label).training
        if (training.settings, training.code_hash) == (how, code_hash):
            why = f"{label} was trained on these rows with these settings and this code"
            return Due(due=False, why=why, version=known.version)
    return cut_off
