"""The files of a version: immutable artifacts of its MLflow run, verified by hash."""

from io import BufferedReader, FileIO
from pathlib import Path

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import RegistryError
from barograph.evaluation.gate import Run
from barograph.feature_set.catalogue import FEATURE_SET_HASH, NAMES
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
"""File name → tag with its SHA-256, of the files registered with each version."""

JUDGED_CURE = "Restore it from a backup: without it gates do not know which rows were already used"


def hash_name(name: str) -> str:
    """Name of the tag with the SHA-256 of the attached file `name`."""
    return f"{name}_sha256"


def content_of(label: str, path: Path, limit: int, cure: str = RETRAIN) -> bytes:
    """Read a file of version `label`. Raises RegistryError if unreadable or above `limit` bytes."""
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
    """Load the graph of a version. Raises RegistryError for facts of another graph or case."""
    if facts.case != case:
        raise RegistryError(label, f"its facts are of case {facts.case!r}", RETRAIN)
    if facts.sha256 != sha256_of(onnx):
        raise RegistryError(label, "its facts are of another graph", RETRAIN)
    market = facts.feature_set == FEATURE_SET_HASH
    refuse_unsound(label, facts, {*NAMES, TAU} if market else None)
    return OnnxModel(onnx, len(facts.features), label)


def runs_in(label: str, content: bytes) -> list[Run]:
    """Decode the runs of rows that a gate has used. Raises RegistryError."""
    try:
        return msgspec.json.decode(content, type=list[Run])
    except UNREADABLE as error:
        raise RegistryError(label, f"its {JUDGED} cannot be read ({error})", JUDGED_CURE) from error


def removed_partials(folder: Path) -> None:
    """Remove partial files of killed writers; call it only with the writer's lock."""
    for path in folder.glob("*/artifacts/*.partial"):
        path.unlink()
