"""The files of a version, which are the artifacts of its run: written once, read as written."""

from io import BufferedReader, FileIO
from pathlib import Path

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import RegistryError
from barograph.evaluation.gate import Run
from barograph.features.catalogue import FEATURE_SET_HASH, NAMES
from barograph.files.disk import NO_HANDLES, only_regular
from barograph.registry.model import (
    RETRAIN,
    TAU,
    ModelFacts,
    OnnxModel,
    refuse_unsound,
    sha256_of,
)

JUDGED = "judged.json"
HASHES = {"model.onnx": "onnx_sha256", "facts.json": "facts_sha256", JUDGED: "judged_sha256"}
"""The tags with the SHA-256 of what is registered with each version."""

JUDGED_CURE = "Put it back from a backup: without it no gate knows which rows are used up"


def hash_name(name: str) -> str:
    """The tag with the SHA-256 of a file that was attached to a version."""
    return f"{name}_sha256"


def content_of(label: str, path: Path, limit: int, cure: str = RETRAIN) -> bytes:
    """A file of the version `label`. Raises RegistryError, also for more than `limit` bytes."""
    try:
        with BufferedReader(FileIO(path, opener=only_regular)) as file:
            content = file.read(limit + 1)
    except OSError as error:
        if error.errno in NO_HANDLES:
            raise
        raise RegistryError(label, f"{path} cannot be read ({error.strerror})", cure) from error
    if len(content) > limit:
        raise RegistryError(label, f"{path} is larger than {limit} bytes", cure)
    return content


def checked(label: str, onnx: bytes, facts: ModelFacts, case: str) -> OnnxModel:
    """The graph of a version, if its facts are of this graph and case; else RegistryError."""
    if facts.case != case:
        raise RegistryError(label, f"its facts are those of case {facts.case!r}", RETRAIN)
    if facts.sha256 != sha256_of(onnx):
        raise RegistryError(label, "its facts are those of another graph", RETRAIN)
    market = facts.feature_set == FEATURE_SET_HASH
    refuse_unsound(label, facts, {*NAMES, TAU} if market else None)
    return OnnxModel(onnx, len(facts.features), label)


def runs_in(label: str, content: bytes) -> list[Run]:
    """The rows that a gate has judged, from JSON. Raises RegistryError."""
    try:
        return msgspec.json.decode(content, type=list[Run])
    except UNREADABLE as error:
        raise RegistryError(label, f"its {JUDGED} cannot be read ({error})", JUDGED_CURE) from error


def removed_partials(folder: Path) -> None:
    """Remove the halves of files that killed writers left, while nobody else writes."""
    for path in folder.glob("*/artifacts/*.partial"):
        path.unlink()
