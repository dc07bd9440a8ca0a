"""A running worker's model: the version that an alias points at, taken up while it works."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from barograph import telemetry
from barograph.errors import BarographError, ForeignFeaturesError, UnsoundModelError
from barograph.pipeline.counted import show_model
from barograph.registry.model import Model
from barograph.registry.registry import Alias, Registry

_LEAVE_S = 1.0
_LONGEST_WAIT_S = 60.0
"""Between two tries to load a version that could not be loaded."""


class Swaps(Protocol):
    """A machine that works with a model."""

    def swap(self, model: Model | None) -> None:
        """Use another model from the next record on."""


class _NextModel(msgspec.Struct, frozen=True):
    """What the machines are to use from now on."""

    version: int | None
    model: Model | None


class Follower:
    """The version that an alias of a case points at, looked up again every `refresh_s` seconds.

    The first look is the first call of `bring`, so that what a finite run predicts does not depend
    on timing. Later ones are in a thread beside the caller: reading, checking and compiling a model
    holds no record up, and `bring` swaps in what is ready. Where the alias moves meanwhile, its
    last version is the one that counts.

    A candidate that is the champion too is none. A version that cannot be loaded, or a registry
    that cannot be read, is reported to `warn`, once for each reason and again when that is over;
    meanwhile the present champion stays, and instead of a candidate that cannot be loaded there is
    none. It is tried again, less and less often; only a version that was made with another feature
    set than `feature_set`, or that is unsound, is not, until the alias points at another one
    between. Where the registry answers with what it last knew of its server, that is followed, and
    reported too. Not thread-safe: use one instance per thread.

    try_out: called with each model that was loaded, beside the caller; raises ForeignFeaturesError
    or UnsoundModelError for one that the machines cannot use.
    patient: whether a registry that cannot be read by the first look is no error either.
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
        try_out: Callable[[Model], object] = lambda _model: None,
        patient: bool = False,
    ) -> None:
        self.model: Model | None = None
        self._registry, self._case, self._feature_set = registry, case, feature_set
        self._alias, self._refresh_s, self._warn = alias, refresh_s, warn
        self._try_out, self._patient = try_out, patient
        self._version: int | None = None
        """That of `model`."""
        self._looked_s: float | None = None
        self._beside: threading.Thread | None = None
        # Written only by the look under way, of which there is one at a time:
        self._next_model: _NextModel | None = None
        self._refused = 0
        self._tried: int | None = None
        self._tries, self._next_try_s = 0, 0.0
        self._problem, self._unread = "", False

    def bring(self, machines: Iterable[Swaps]) -> None:
        """Give the machines the model if it is another one than theirs. Returns at once.

        Raises RegistryError where the registry cannot be read by the first look, which does not
        return at once, unless this one is patient; then too MemoryError, and OSError where this
        process has too many files open.
        """
        if self._beside is not None and self._beside.is_alive():
            return
        now_s = time.monotonic()
        if self._looked_s is None:
            if not self._patient:
                self._wanted()
            self._look()
            self._looked_s = now_s
            show_model(self._alias, self._case, None)
            telemetry.MODEL_SWAPS.add(0, self._alias, self._case)
        next_model, self._next_model = self._next_model, None
        if next_model is not None:
            for machine in machines:
                machine.swap(next_model.model)
            self.model, self._version = next_model.model, next_model.version
            show_model(self._alias, self._case, self.model)
            telemetry.MODEL_SWAPS.add(1, self._alias, self._case)
        telemetry.REGISTRY_PROBLEM.set(bool(self._problem), self._alias, self._case)
        if now_s - self._looked_s >= self._refresh_s:
            self._looked_s = now_s
            self._beside = threading.Thread(target=self._look, name="follower", daemon=True)
            self._beside.start()

    def leave(self) -> None:
        """Stop looking; waits for a look under way, a second at most."""
        if self._beside is not None:
            self._beside.join(_LEAVE_S)

    def _look(self) -> None:
        """Find what the alias points at, and load it if it is another one than the present."""
        try:
            version = self._wanted()
        except BarographError as error:
            self._unread = True
            self._report(f"{error} {self._meanwhile(stays=True)}")
            return
        except BaseException as error:  # noqa: BLE001 - reported, and tried again
            self._raise_what_is_lacked(error)
            self._unread = True
            self._report(f"{_line(error)} {self._meanwhile(stays=True)}")
            return
        if version != self._refused:
            self._refused = 0
            self._settle(version)
        self._note_last_known(version)

    def _settle(self, version: int | None) -> None:
        """Load this version, and later ones while the alias moves meanwhile."""
        while version not in {self._version, self._refused}:
            if version != self._tried:
                self._tried, self._tries = version, 0
            if self._tries and time.monotonic() < self._next_try_s:
                return
            try:
                model = None if version is None else self._loaded(version)
                later = self._wanted()
            except (ForeignFeaturesError, UnsoundModelError) as error:
                self._refused = version or 0
                self._missing(str(error))
                return
            except BarographError as error:
                self._later(str(error))
                return
            except BaseException as error:  # noqa: BLE001 - reported, and tried again
                self._raise_what_is_lacked(error)
                self._later(_line(error))
                return
            if later == version:
                self._next_model = _NextModel(version, model)
                break
            version = later
        self._tries = 0
        if self._problem and version != self._refused and not self._registry.problem:
            self._note_usable(version)

    def _note_usable(self, version: int | None) -> None:
        """Report that what was reported before is over."""
        label = "no version" if version is None else f"{self._case}/{version}"
        if self._unread or version is not None:
            self._warn(f"the registry can be used again: {self._alias} is {label}.")
        self._problem, self._unread = "", False

    def _note_last_known(self, version: int | None) -> None:
        """Report that the version is the last known one, since the registry gives no answer."""
        taken = self._version if self._next_model is None else self._next_model.version
        if self._registry.problem and version is not None and version == taken:
            self._unread = True
            label = f"{self._case}/{version}"
            self._report(f"{self._registry.problem} The last known {self._alias}, {label}, stays.")

    def _raise_what_is_lacked(self, error: BaseException) -> None:
        """Raise in the first look of an impatient one what is no fault of the registry's."""
        if (
            self._looked_s is None
            and not self._patient
            and isinstance(error, MemoryError | OSError)
        ):
            raise error

    def _wanted(self) -> int | None:
        version = self._registry.version_of(self._case, self._alias)
        if self._alias == "candidate" and version == self._registry.champion_version(self._case):
            return None
        return version

    def _loaded(self, version: int) -> Model:
        model = self._registry.load(self._case, version, self._feature_set)
        self._try_out(model)
        return model

    def _later(self, problem: str) -> None:
        """Schedule another attempt to load the version, after a longer wait each time."""
        wait_s = min(_LONGEST_WAIT_S, self._refresh_s * 2.0 ** min(self._tries, 30))
        self._tries += 1
        self._next_try_s = time.monotonic() + wait_s
        self._missing(problem)

    def _missing(self, problem: str) -> None:
        """Report that the alias's version cannot be used."""
        self._report(f"{problem} {self._meanwhile(stays=self._alias == 'champion')}")
        if self._alias == "candidate" and self._version is not None:
            self._next_model = _NextModel(None, None)

    def _meanwhile(self, *, stays: bool) -> str:
        if stays and self.model is not None:
            return "The present model stays."
        if self._alias == "candidate":
            return "Nothing shadows the champion meanwhile."
        return "There is no champion meanwhile."

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self._warn(problem)


def _line(error: BaseException) -> str:
    """Return an error as one line of text."""
    return f"{' '.join(repr(error).split())}."
