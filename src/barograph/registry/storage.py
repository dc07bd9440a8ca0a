"""What the registry needs of the place that keeps its models: a database here, or a server.

`Registry` decides what is sound, who is champion and what the history says; a store keeps it.
"""

from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from barograph.registry.versions import Trial, Version


class NewVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version to register: its files by name, its facts as text, its scores, when it was made."""

    files: dict[str, bytes]
    tags: dict[str, str]
    scores: list[tuple[str, float]]
    time_ns: int


class WantedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of version `label` ("case/version"), of at most `limit` bytes.

    sha256: that of its content, None where it is not known. cure: where it cannot be read.
    """

    label: str
    name: str
    limit: int
    cure: str
    sha256: str | None


class StoreWriter(Protocol):
    """Changes a store; valid while its `writing` block runs."""

    def add(self, case: str, new: NewVersion) -> int:
        """Store a version, complete or not at all, and return its number."""

    def point(self, case: str, alias: str, version: int) -> None:
        """Point an alias at a version."""

    def record(self, case: str, number: int, entry_json: str) -> None:
        """Store an entry of the promotion history. number: of it, from 1."""

    def attach(self, case: str, known: Version, name: str, content: bytes) -> None:
        """Store a file with a version, and its SHA-256 as a tag; replaces one of the same name."""

    def add_trials(self, case: str, trials: list[tuple[Trial, dict[str, str]]]) -> None:
        """Store each trial of a search as a run, with its parameters as text."""


class ModelStore(Protocol):
    """Keeps versions, aliases, histories and files. Not thread-safe.

    Every method raises RegistryError, with a cure, where the store cannot be used.
    """

    @property
    def problem(self) -> str:
        """Why what was read last is not of now, in one line; empty where it is."""

    def alias(self, case: str, alias: str) -> int | None:
        """The version that an alias points at, or None; cheap enough to poll every second."""

    def versions(self, case: str) -> list[Version]:
        """All versions, oldest first."""

    def version(self, case: str, number: int) -> Version | None:
        """One version, or None if there is no such."""

    def audit(self, case: str) -> list[str]:
        """The entries of the promotion history as text, oldest first."""

    def content(self, known: Version, wanted: WantedFile) -> bytes:
        """Read a file of a version. The caller compares its hash."""

    def check_room(self) -> None:
        """Raise an error if `writing` could not write, before long work begins."""

    def writing(self, case: str) -> AbstractContextManager[StoreWriter]:
        """Change the store. Errors of what keeps it become RegistryError."""
