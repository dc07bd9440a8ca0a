"""The registry: model versions with their facts, and which of them is champion.

A store keeps them: MLflow's SQLite database under HOME (`embedded`), or an MLflow tracking server
(`server`). What is read is verified here, by hash and by meaning, wherever it comes from.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from barograph.codec import UNREADABLE
from barograph.errors import ForeignFeaturesError, RegistryError
from barograph.evaluation.gate import Run
from barograph.registry.artifacts import (
    HASHES,
    JUDGED,
    JUDGED_CURE,
    checked,
    hash_name,
    runs_in,
)
from barograph.registry.audit import Promotion, former
from barograph.registry.database import BACKUP
from barograph.registry.embedded import EmbeddedStore
from barograph.registry.mlflow_flavours import flavour_files
from barograph.registry.model import (
    MAX_ONNX_BYTES,
    RETRAIN,
    Model,
    ModelFacts,
    OnnxModel,
    sha256_of,
)
from barograph.registry.storage import ModelStore, NewVersion, StoreWriter, WantedFile
from barograph.registry.versions import (
    Trial,
    Version,
    figures_of,
    list_cure,
    tags_of,
    without_alias,
)

Alias = Literal["candidate", "champion"]

_MAX_FACTS_BYTES = 64 * 2**20  # intervals of a level take 15 kB a key, of 4,096 at most
_MAX_BESIDE_BYTES = 64 * 2**20

_facts = msgspec.json.Decoder(ModelFacts)


class Registry:
    """The models under `home`, or those of another store. Safe for several processes.

    Not thread-safe. Under a home nothing is created before the first `register`, and the next
    writer removes what a killed one left. Every method raises RegistryError, with a cure, if the
    store is unusable or the requested item is missing or damaged. Writing methods also raise
    DiskFullError without space and BadInputError without permission.
    wait_s: seconds to wait for another writing process; the error names it.
    warn: called with one line for each leftover of a killed writer.
    store: that keeps the models in place of the home, which has these two of its own.
    """

    def __init__(
        self,
        home: Path,
        *,
        wait_s: float = 30.0,
        warn: Callable[[str], None] = lambda _message: None,
        store: ModelStore | None = None,
    ) -> None:
        self._store = store or EmbeddedStore(home, wait_s, warn)

    @property
    def problem(self) -> str:
        """Why what was read last is not of now, in one line; empty where it is."""
        return self._store.problem

    def register(  # noqa: PLR0913 - the model, and what is kept beside it
        self,
        case: str,
        onnx: bytes,
        facts: ModelFacts,
        params: Mapping[str, str] | None = None,
        *,
        judged: Sequence[Run] = (),
        example: Mapping[str, float | str] | None = None,
    ) -> int:
        """Store a model as the next version of `case` and return its number; no alias changes.

        The version appears complete or not at all. `params` are training parameters to show in
        MLflow; scores and the rest come from `facts`. `judged`: the rows that the gate used.
        `example`: of an input, for who loads it through MLflow (`mlflow_flavours.inputs_of`).
        """
        graph = checked(f"{case} (new)", onnx, facts, case)
        facts_json, runs = msgspec.json.encode(facts), msgspec.json.encode(judged)
        files = {"model.onnx": onnx, "facts.json": facts_json, JUDGED: runs}
        files |= flavour_files(facts, example, has_median=graph.has_median)
        tags = tags_of(facts, facts_json) | dict(params or {}) | {HASHES[JUDGED]: sha256_of(runs)}
        new = NewVersion(
            files=files, tags=tags, scores=list(figures_of(facts)), time_ns=facts.created_time_ns
        )
        with self._store.writing(case) as writer:
            return writer.add(case, new)

    def check_room(self) -> None:
        """Raise DiskFullError or BadInputError if `register` could not write."""
        self._store.check_room()

    def set_alias(self, case: str, alias: Alias, version: int) -> None:
        """Point an alias at a version; "champion" is a promotion by hand."""
        if alias == "champion":
            self.promote(case, version, "set by hand")
            return
        self._known(case, version)
        with self._store.writing(case) as writer:
            writer.point(case, alias, version)

    def promote(
        self, case: str, version: int, reason: str, feature_set: str | None = None
    ) -> Promotion:
        """Verify a version, make it champion and return its entry in the history.

        Raises ForeignFeaturesError if it was trained with another feature set than the one given.
        """
        self._sound(case, version, feature_set)
        with self._store.writing(case) as writer:
            return self._crown(writer, case, "promote", version, reason)

    def rollback(
        self, case: str, reason: str = "rolled back by hand", feature_set: str | None = None
    ) -> Promotion:
        """Make the previous champion the champion again. Raises as `promote` does."""
        self._former(case)  # fail before a database is created
        with self._store.writing(case) as writer:
            before = self._former(case)
            self._sound(case, before, feature_set)
            return self._crown(writer, case, "rollback", before, reason)

    def history(self, case: str) -> list[Promotion]:
        """Every promotion and rollback, oldest first."""
        entries = self._store.audit(case)
        try:
            return [msgspec.json.decode(text, type=Promotion) for text in entries]
        except UNREADABLE as error:
            raise RegistryError(case, f"its audit is damaged ({error})", BACKUP) from error

    def version_of(self, case: str, alias: Alias) -> int | None:
        """The version of an alias, or None; cheap enough to poll every second."""
        return self._store.alias(case, alias)

    def champion_version(self, case: str) -> int | None:
        """The champion's version, or None; cheap enough to poll every second."""
        return self.version_of(case, "champion")

    def champion_label(self, case: str) -> str | None:
        """The champion as "case/version", or None."""
        version = self.champion_version(case)
        return None if version is None else f"{case}/{version}"

    def versions(self, case: str) -> list[Version]:
        """All versions, oldest first; empty before the first `register`."""
        return self._store.versions(case)

    def version(self, case: str, number: int) -> Version | None:
        """One version, or None if there is no such."""
        return self._store.version(case, number)

    def load(self, case: str, which: Alias | int, feature_set: str | None) -> Model:
        """Load a version by number or alias, verified and ready to score.

        Raises ForeignFeaturesError if it was trained with another feature set than `feature_set`,
        unless that is None: to look at a version, not to score with it.
        """
        version = which if isinstance(which, int) else self.version_of(case, which)
        if version is None:
            raise without_alias(case, str(which), self.versions(case))
        facts, onnx = self._sound(case, version, feature_set)
        return Model(f"{case}/{version}", facts, onnx)

    def knows_later(self, case: str, version: int, than: int) -> bool:
        """Whether a version was trained on data that end later than another's."""
        return self.facts(case, version).train_end_ns > self.facts(case, than).train_end_ns

    def facts(self, case: str, version: int) -> ModelFacts:
        """The facts of a version, without reading its graph."""
        facts_json = self._kept(case, version, "facts.json", _MAX_FACTS_BYTES)
        try:
            return _facts.decode(facts_json)
        except UNREADABLE as error:
            why = f"its facts cannot be read ({error})"
            raise RegistryError(f"{case}/{version}", why, RETRAIN) from error

    def judged(self, case: str, without: Sequence[int] = ()) -> list[Run]:
        """The rows that gates of this case have used, which later gates must not use.

        without: versions whose gates do not count.
        """
        runs: list[Run] = []
        for known in self.versions(case):
            if known.version in without:
                continue
            if HASHES[JUDGED] in known.tags:  # missing in versions from before this file existed
                content = self._kept(case, known.version, JUDGED, _MAX_BESIDE_BYTES, JUDGED_CURE)
                runs += runs_in(f"{case}/{known.version}", content)
        return runs

    def attach(self, case: str, version: int, name: str, content: bytes) -> None:
        """Store a file with a version, as an artifact of its run; replaces one of the same name."""
        known = self._known(case, version)
        with self._store.writing(case) as writer:
            writer.attach(case, known, name, content)

    def attached(self, case: str, version: int, name: str) -> bytes:
        """Read a file stored by `attach`. Raises RegistryError if its hash differs."""
        label, known = f"{case}/{version}", self._known(case, version)
        # There is no hash if an older release attached it, or its writer was killed.
        sha256 = known.tags.get(HASHES.get(name, hash_name(name)))
        wanted = WantedFile(
            label=label, name=name, limit=_MAX_BESIDE_BYTES, cure=RETRAIN, sha256=sha256
        )
        content = self._store.content(known, wanted)
        if sha256 not in {None, sha256_of(content)}:
            raise RegistryError(label, f"its {name} is not what was attached", RETRAIN)
        return content

    def log_trials(
        self, case: str, trials: Sequence[Trial], data_hash: str, code_hash: str
    ) -> None:
        """Store each trial of a search as an MLflow run: parameters, fold scores, hashes."""
        hashes = {"data_hash": data_hash, "code_hash": code_hash}
        texts = [
            {
                key: str(value)
                for key, value in ({"candidate": of.candidate} | of.parameters | hashes).items()
            }
            for of in trials
        ]
        with self._store.writing(case) as writer:
            writer.add_trials(case, list(zip(trials, texts, strict=True)))

    def _sound(
        self, case: str, version: int, feature_set: str | None = None
    ) -> tuple[ModelFacts, OnnxModel]:
        label, facts = f"{case}/{version}", self.facts(case, version)
        if feature_set is not None and facts.feature_set != feature_set:
            raise ForeignFeaturesError(f"model {label}", facts.feature_set, feature_set, case)
        onnx = self._kept(case, version, "model.onnx", MAX_ONNX_BYTES)
        return facts, checked(label, onnx, facts, case)

    def _kept(self, case: str, version: int, name: str, limit: int, cure: str = RETRAIN) -> bytes:
        """Read a file of a version. Raises RegistryError if its hash differs."""
        label, known = f"{case}/{version}", self._known(case, version)
        sha256 = known.tags.get(HASHES[name])
        wanted = WantedFile(label=label, name=name, limit=limit, cure=cure, sha256=sha256)
        content = self._store.content(known, wanted)
        if sha256_of(content) != sha256:
            raise RegistryError(label, f"its {name} is not what was registered", cure)
        return content

    def _known(self, case: str, version: int) -> Version:
        known = self._store.version(case, version)
        if known is None:
            cure = list_cure(case)
            raise RegistryError(f"{case}/{version}", "there is no such version", cure)
        return known

    def _former(self, case: str) -> int:
        """The champion's predecessor. Raises RegistryError if there is none."""
        champion = self.champion_version(case)
        before = former(self.history(case), champion)
        if before is None:
            why = "there was no champion before it"
            raise RegistryError(f"{case}/{champion or 'none'}", why, list_cure(case))
        return before

    def _crown(
        self,
        writer: StoreWriter,
        case: str,
        action: Literal["promote", "rollback"],
        version: int,
        reason: str,
    ) -> Promotion:
        entry = Promotion(
            time_ns=time.time_ns(),
            action=action,
            version=version,
            previous=self.champion_version(case),
            reason=reason[:1000],
        )
        # The alias first: after a crash in between, a rollback still finds the predecessor.
        writer.point(case, "champion", version)
        number = len(self.history(case)) + 1
        writer.record(case, number, msgspec.json.encode(entry).decode())
        champion = self.champion_version(case)
        if champion != version:  # only where writers do not take turns
            why = f"another process made {case}/{champion} the champion at the same moment"
            cure = "See both (`barograph models history`), and promote again if this one is meant"
            raise RegistryError(f"{case}/{version}", why, cure)
        return entry
