"""The store in memory: models that end with the process, as those of a notebook's evaluation."""

from collections.abc import Iterator
from contextlib import contextmanager

from barograph.errors import RegistryError
from barograph.registry.artifacts import hash_name
from barograph.registry.model import sha256_of
from barograph.registry.storage import NewVersion, WantedFile
from barograph.registry.versions import Trial, Version


class MemoryStore:
    """Keeps versions, aliases, histories and files. Not thread-safe."""

    problem = ""

    def __init__(self) -> None:
        self._tags: dict[str, list[dict[str, str]]] = {}
        self._aliases: dict[str, dict[str, int]] = {}
        self._audit: dict[str, list[str]] = {}
        self._files: dict[tuple[str, str], bytes] = {}

    def alias(self, case: str, alias: str) -> int | None:
        """The version that an alias points at, or None."""
        return self._aliases.get(case, {}).get(alias)

    def versions(self, case: str) -> list[Version]:
        """All versions, oldest first."""
        aliases = self._aliases.get(case, {})
        return [
            Version(
                version=number,
                run_id=f"{case}/{number}",
                aliases=tuple(alias for alias, version in aliases.items() if version == number),
                tags=dict(tags),
            )
            for number, tags in enumerate(self._tags.get(case, []), 1)
        ]

    def version(self, case: str, number: int) -> Version | None:
        """One version, or None if there is no such."""
        return next((each for each in self.versions(case) if each.version == number), None)

    def audit(self, case: str) -> list[str]:
        """The entries of the promotion history as text, oldest first."""
        return list(self._audit.get(case, []))

    def content(self, known: Version, wanted: WantedFile) -> bytes:
        """Read a file of a version. Raises RegistryError if there is none."""
        content = self._files.get((known.run_id, wanted.name))
        if content is None:
            raise RegistryError(wanted.label, f"it has no {wanted.name}", wanted.cure)
        return content

    def check_room(self) -> None:
        """Do nothing: memory is taken as it is needed."""

    @contextmanager
    def writing(self, case: str) -> Iterator["MemoryStore"]:
        """Change the store; a change stands at once."""
        del case
        yield self

    def add(self, case: str, new: NewVersion) -> int:
        """Store a version and return its number."""
        versions = self._tags.setdefault(case, [])
        versions.append(dict(new.tags))
        for name, content in new.files.items():
            self._files[f"{case}/{len(versions)}", name] = content
        return len(versions)

    def point(self, case: str, alias: str, version: int) -> None:
        """Point an alias at a version."""
        self._aliases.setdefault(case, {})[alias] = version

    def record(self, case: str, number: int, entry_json: str) -> None:
        """Store an entry of the promotion history."""
        del number  # it follows the last
        self._audit.setdefault(case, []).append(entry_json)

    def attach(self, case: str, known: Version, name: str, content: bytes) -> None:
        """Store a file with a version; replaces one of the same name."""
        self._files[known.run_id, name] = content
        self._tags[case][known.version - 1][hash_name(name)] = sha256_of(content)

    def add_trials(self, case: str, trials: list[tuple[Trial, dict[str, str]]]) -> None:
        """Keep none: the report of the training has them."""
