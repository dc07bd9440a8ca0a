"""The registry: model versions with their facts, and which of them is champion.

It is an MLflow registry on SQLite, `HOME/registry/mlflow.db`, with `model.onnx` and `facts.json` of
each version under `HOME/registry/artifacts/<run>/artifacts`. Writes go through MLflow's client, one
process at a time (a lock file beside the database); creating the database takes MLflow seconds,
once. Reads are read-only queries of MLflow's tables, without importing MLflow, which takes seconds:
so MLflow's alias is the only source of truth, and looking up the champion takes a fraction of a
millisecond. Paths are derived from HOME, so HOME can be moved.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from barograph import environment
from barograph.codec import UNREADABLE
from barograph.errors import ForeignFeaturesError, RegistryError
from barograph.evaluation.gate import Run
from barograph.files.disk import (
    NO_HANDLES,
    check_handles,
    check_room,
    put_in_place,
    write_whole,
)
from barograph.registry.artifacts import (
    HASHES,
    JUDGED,
    JUDGED_CURE,
    checked,
    content_of,
    hash_name,
    removed_partials,
    runs_in,
)
from barograph.registry.audit import Promotion, former
from barograph.registry.database import BACKUP, OWNER, ModelDatabase, only_writer
from barograph.registry.mlflow_refusal import refused
from barograph.registry.model import (
    MAX_ONNX_BYTES,
    RETRAIN,
    Model,
    ModelFacts,
    OnnxModel,
    sha256_of,
)
from barograph.registry.versions import Trial, Version, figures_of, tags_of, without_alias

Alias = Literal["candidate", "champion"]

_LEAST_ROOM_BYTES = 4 << 20
_MAX_FACTS_BYTES = 64 * 2**20  # intervals of a level take 15 kB a key, of 4,096 at most
_MAX_BESIDE_BYTES = 64 * 2**20


def _list(case: str) -> str:
    return f"List the versions with `barograph models list --case {case}`"


_facts = msgspec.json.Decoder(ModelFacts)


class Registry:
    """The models under `home`. Safe for several processes; not thread-safe.

    Nothing is created before the first `register`, and the next writer removes what a killed one
    left. Every method raises RegistryError, with a cure, if the database is unusable or the
    requested item is missing or damaged. Writing methods also raise DiskFullError without space and
    BadInputError without permission.
    wait_s: seconds to wait for another writing process; the error names it.
    warn: called with one line for each leftover of a killed writer.
    """

    def __init__(
        self,
        home: Path,
        *,
        wait_s: float = 30.0,
        warn: Callable[[str], None] = lambda _message: None,
    ) -> None:
        self._root = home.absolute() / "registry"
        self._database = self._root / "mlflow.db"
        self._read, self._wait_s = ModelDatabase(self._database).read, wait_s
        self._mlflow: Any = None
        self._warn = warn

    def register(
        self,
        case: str,
        onnx: bytes,
        facts: ModelFacts,
        params: Mapping[str, str] | None = None,
        *,
        judged: Sequence[Run] = (),
    ) -> int:
        """Store a model as the next version of `case` and return its number; no alias changes.

        The version appears complete or not at all. `params` are training parameters to show in
        MLflow; scores and the rest come from `facts`. `judged`: the rows that the gate used.
        """
        checked(f"{case} (new)", onnx, facts, case)
        facts_json, runs = msgspec.json.encode(facts), msgspec.json.encode(judged)
        with self._writing(case) as mlflow:
            from mlflow.entities import Metric, Param  # noqa: PLC0415 - seconds to import

            experiment = mlflow.get_experiment_by_name(case)
            experiment_id = (
                experiment.experiment_id
                if experiment
                else mlflow.create_experiment(case, (self._root / "artifacts").as_uri())
            )
            milliseconds = facts.created_time_ns // 1_000_000
            made_run = mlflow.create_run(experiment_id, milliseconds, tags={"kind": "version"})
            run_id = made_run.info.run_id
            place = self._artifacts(run_id)
            place.mkdir(parents=True)
            write_whole(place / "model.onnx", onnx)
            write_whole(place / "facts.json", facts_json)
            write_whole(place / JUDGED, runs)
            tags = (
                tags_of(facts, facts_json) | dict(params or {}) | {HASHES[JUDGED]: sha256_of(runs)}
            )
            mlflow.log_batch(
                run_id,
                metrics=[
                    Metric(key, value, milliseconds, step=0) for key, value in figures_of(facts)
                ],
                params=[Param(key, text) for key, text in tags.items()],
            )
            if not self._read("registered", case=case):
                mlflow.create_registered_model(case)
            made = mlflow.create_model_version(case, place.as_uri(), run_id, tags=tags)
            mlflow.set_terminated(run_id, end_time=milliseconds)
        return int(made.version)

    def check_room(self) -> None:
        """Raise DiskFullError or BadInputError if `register` could not write."""
        check_room(self._root, _LEAST_ROOM_BYTES)

    def set_alias(self, case: str, alias: Alias, version: int) -> None:
        """Point an alias at a version; "champion" is a promotion by hand."""
        if alias == "champion":
            self.promote(case, version, "set by hand")
            return
        self._known(case, version)
        with self._writing(case) as mlflow:
            mlflow.set_registered_model_alias(case, alias, str(version))

    def promote(
        self, case: str, version: int, reason: str, feature_set: str | None = None
    ) -> Promotion:
        """Verify a version, make it champion and return its entry in the history.

        Raises ForeignFeaturesError if it was trained with another feature set than the one given.
        """
        self._sound(case, version, feature_set)
        with self._writing(case) as mlflow:
            return self._crown(mlflow, case, "promote", version, reason)

    def rollback(
        self, case: str, reason: str = "rolled back by hand", feature_set: str | None = None
    ) -> Promotion:
        """Make the previous champion the champion again. Raises as `promote` does."""
        self._former(case)  # fail before a database is created
        with self._writing(case) as mlflow:
            before = self._former(case)
            self._sound(case, before, feature_set)
            return self._crown(mlflow, case, "rollback", before, reason)

    def history(self, case: str) -> list[Promotion]:
        """Every promotion and rollback, oldest first."""
        rows = self._read("audit", case=case)
        try:
            return [msgspec.json.decode(text, type=Promotion) for (text,) in rows]
        except UNREADABLE as error:
            raise RegistryError(case, f"its audit is damaged ({error})", BACKUP) from error

    def version_of(self, case: str, alias: Alias) -> int | None:
        """The version of an alias, or None. Takes a fraction of a millisecond."""
        rows = self._read("alias", case=case, alias=alias)
        return rows[0][0] if rows else None

    def champion_version(self, case: str) -> int | None:
        """The champion's version, or None; cheap enough to poll every second."""
        return self.version_of(case, "champion")

    def champion_label(self, case: str) -> str | None:
        """The champion as "case/version", or None."""
        version = self.champion_version(case)
        return None if version is None else f"{case}/{version}"

    def versions(self, case: str) -> list[Version]:
        """All versions, oldest first; empty before the first `register`."""
        tags: dict[int, dict[str, str]] = {}
        for version, key, value in self._read("tags", case=case):
            tags.setdefault(version, {})[key] = value
        aliases = self._read("aliases", case=case)
        return [
            Version(
                version=version,
                run_id=run_id,
                aliases=tuple(alias for pointed, alias in aliases if pointed == version),
                tags=tags.get(version, {}),
            )
            for version, run_id in self._read("versions", case=case)
        ]

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
        place = self._artifacts(self._known(case, version).run_id)
        with self._writing(case) as mlflow:
            write_whole(place / name, content)
            mlflow.set_model_version_tag(case, str(version), hash_name(name), sha256_of(content))

    def attached(self, case: str, version: int, name: str) -> bytes:
        """Read a file stored by `attach`. Raises RegistryError if its hash differs."""
        label, known = f"{case}/{version}", self._known(case, version)
        content = content_of(label, self._artifacts(known.run_id) / name, _MAX_BESIDE_BYTES)
        # There is no hash if an older release attached it, or its writer was killed.
        if sha256_of(content) != known.tags.get(hash_name(name), sha256_of(content)):
            raise RegistryError(label, f"its {name} is not what was attached", RETRAIN)
        return content

    def log_trials(
        self, case: str, trials: Sequence[Trial], data_hash: str, code_hash: str
    ) -> None:
        """Store each trial of a search as an MLflow run: parameters, fold scores, hashes."""
        with self._writing(case) as mlflow:
            from mlflow.entities import Metric, Param  # noqa: PLC0415 - seconds to import

            experiment_id = mlflow.get_experiment_by_name(case).experiment_id
            for trial in trials:
                run_id = mlflow.create_run(experiment_id, tags={"kind": "trial"}).info.run_id
                hashes = {"data_hash": data_hash, "code_hash": code_hash}
                params = {"candidate": trial.candidate, **trial.parameters, **hashes}
                mlflow.log_batch(
                    run_id,
                    metrics=[
                        Metric("held_out_log_loss", value, 0, step=fold)
                        for fold, value in enumerate(trial.selection)
                    ],
                    params=[Param(key, str(value)) for key, value in params.items()],
                )
                mlflow.set_terminated(run_id)

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
        content = content_of(label, self._artifacts(known.run_id) / name, limit, cure)
        if sha256_of(content) != known.tags.get(HASHES[name]):
            raise RegistryError(label, f"its {name} is not what was registered", cure)
        return content

    def _known(self, case: str, version: int) -> Version:
        for known in self.versions(case):
            if known.version == version:
                return known
        raise RegistryError(f"{case}/{version}", "there is no such version", _list(case))

    def _former(self, case: str) -> int:
        """The champion's predecessor. Raises RegistryError if there is none."""
        champion = self.champion_version(case)
        before = former(self.history(case), champion)
        if before is None:
            why = "there was no champion before it"
            raise RegistryError(f"{case}/{champion or 'none'}", why, _list(case))
        return before

    def _crown(
        self,
        mlflow: Any,  # noqa: ANN401 - mlflow is not followed by mypy
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
        mlflow.set_registered_model_alias(case, "champion", str(version))
        key = f"audit.{len(self.history(case)) + 1:06d}"
        mlflow.set_registered_model_tag(case, key, msgspec.json.encode(entry).decode())
        return entry

    def _artifacts(self, run_id: str) -> Path:
        return self._root / "artifacts" / run_id / "artifacts"

    def _tidy(self) -> None:
        """Remove the leftovers of a killed writer and end its runs; needs the writer's lock."""
        removed_partials(self._root / "artifacts")
        for run_id, is_version in self._read("unfinished"):
            if is_version:
                self._mlflow.set_terminated(run_id)
                did = "had registered its version, which is complete"
            else:
                shutil.rmtree(self._root / "artifacts" / run_id, ignore_errors=True)
                self._mlflow.set_terminated(run_id, "KILLED")
                did = "left an incomplete version, which is removed"
            self._warn(f"a training that was killed {did}: run {run_id}")

    @contextmanager
    def _writing(self, case: str) -> Iterator[Any]:
        """Yield MLflow's client under the writer's lock; its errors become RegistryError."""
        self._read("versions", case=case)  # refuse a damaged file here; MLflow would retry
        self.check_room()  # a shorter error than MLflow's
        with only_writer(self._root, case, self._wait_s):
            environment.for_mlflow()
            from mlflow.exceptions import MlflowException  # noqa: PLC0415 - seconds to import
            from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - comes with MLflow

            try:
                if self._mlflow is None:
                    self._mlflow = _client(self._database)
                self._tidy()
                yield self._mlflow
            except (MlflowException, SQLAlchemyError) as error:
                check_handles(self._root)
                raise refused(self._database, case, error, _list(case)) from error
            except OSError as error:
                if error.errno in NO_HANDLES:
                    raise
                why = f"the registry cannot be written ({error})"
                raise RegistryError(case, why, OWNER) from error


def _client(database: Path) -> Any:  # noqa: ANN401 - mlflow is not followed by mypy
    from mlflow.tracking import MlflowClient  # noqa: PLC0415 - seconds to import
    from sqlalchemy import URL  # noqa: PLC0415 - comes with MLflow

    def client(path: Path) -> Any:  # noqa: ANN401
        address = URL.create("sqlite", database=str(path)).render_as_string()
        return MlflowClient(tracking_uri=address, registry_uri=address)

    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # its exceptions carry the message
    if not database.exists():
        # MLflow takes seconds to create a database and refuses an incomplete one for good, so the
        # database gets its name only when complete.
        for left in database.parent.glob("*.making*"):
            left.unlink()
        making = database.with_suffix(f".{os.getpid()}.making")
        client(making)
        put_in_place(making, database)
    return client(database)
