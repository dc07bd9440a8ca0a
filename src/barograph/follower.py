"""A running worker's model: the version that an alias points at, taken up while it works."""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from barograph.errors import BarographError, RegistryError
from barograph.registry import Alias, Registry
from barograph.scorer import Model


class Swaps(Protocol):
    """A machine that works with a model."""

    def swap(self, model: Model | None) -> None:
        """Use another model from the next record on."""


class Follower:
    """The version that an alias of a case points at, looked up again every `refresh_s` seconds.

    A candidate that is the champion too is none. A version that cannot be loaded, or was made with
    another feature set than `feature_set`, is told to `warn` once: the present champion stays, and
    instead of the candidate there is none. So is a registry that cannot be read any more, and then
    both stay. Raises RegistryError for one that could not be read from the beginning.
    """

    def __init__(  # noqa: PLR0913 - what is followed, and how
        self,
        registry: Registry,
        case: str,
        feature_set: str,
        *,
        alias: Alias = "champion",
        refresh_s: float = 1.0,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._registry, self._case, self._feature_set = registry, case, feature_set
        self._alias, self._refresh_s, self._warn = alias, refresh_s, warn
        self._looked_s = -refresh_s
        self._version: int | None = None
        self._read, self._unread = False, ""
        self.model: Model | None = None

    def bring(self, machines: Iterable[Swaps]) -> None:
        """Give the machines the model if it is another one than theirs."""
        now_s = time.monotonic()
        if now_s - self._looked_s < self._refresh_s:
            return
        self._looked_s = now_s
        try:
            version = self._wanted()
        except RegistryError as error:
            self._cannot_read(error)
            return
        self._read, self._unread = True, ""
        if version == self._version:
            return
        self._version = version
        self.model = None if version is None else self._loaded(version)
        for machine in machines:
            machine.swap(self.model)

    def _wanted(self) -> int | None:
        version = self._registry.version_of(self._case, self._alias)
        if self._alias == "candidate" and version == self._registry.champion_version(self._case):
            return None
        return version

    def _cannot_read(self, error: RegistryError) -> None:
        if not self._read:
            raise error
        if self._unread != str(error):
            self._unread = str(error)
            self._warn(f"{error} The present model stays.")

    def _loaded(self, version: int) -> Model | None:
        try:
            return self._registry.load(self._case, version, self._feature_set)
        except BarographError as error:
            if self._alias == "champion":
                self._warn(f"{error} The present model stays.")
                return self.model
            self._warn(f"{error} Nothing shadows the champion meanwhile.")
            return None
