"""The store on an MLflow tracking server, over its REST API.

A version is a run with its files as artifacts, which the server hands over itself, and a registered
model version whose tags are the facts. The version is registered when its files are there, so it
appears complete or not at all.

Writers of one home take turns, by a lock file. Those of several homes do not: MLflow has no
compare-and-set. Versions get their numbers from the server, entries of the history have keys of
their own, so neither is lost; of two promotions at the same moment the later one counts, and the
earlier one ends with an error (docs/decisions/0073).
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from barograph.errors import RegistryError, RegistryServerError
from barograph.registry.artifacts import hash_name
from barograph.registry.database import only_writer
from barograph.registry.kept_answers import FOLDER, CaseAnswer, KeptAnswers
from barograph.registry.mlflow_api import (
    GoneError,
    MlflowApi,
    ModelVersion,
    RegisteredModel,
    Run,
    RunInfo,
    ThereAlreadyError,
)
from barograph.registry.model import sha256_of
from barograph.registry.storage import NewVersion, WantedFile
from barograph.registry.tracking_server import TrackingServer
from barograph.registry.versions import HELD_OUT, Trial, Version

_PAGE = 1000
_BATCH = 100
"""Parameters in a request; a server takes no more."""

_ABANDONED_MS = 24 * 3_600_000
"""A run that began so long ago and did not end is of a killed training."""

_AGAIN_S = 5.0
"""A server that gave no answer is not asked again for so long by whoever goes on without one."""

T = TypeVar("T")


class _ModelAnswer(msgspec.Struct, frozen=True):
    registered_model: RegisteredModel


class _VersionAnswer(msgspec.Struct, frozen=True):
    model_version: ModelVersion


class _VersionsAnswer(msgspec.Struct, frozen=True):
    model_versions: list[ModelVersion] = []
    next_page_token: str = ""


class _Experiment(msgspec.Struct, frozen=True):
    experiment_id: str


class _ExperimentAnswer(msgspec.Struct, frozen=True):
    experiment: _Experiment


class _RunAnswer(msgspec.Struct, frozen=True):
    run: Run


class _RunsAnswer(msgspec.Struct, frozen=True):
    runs: list[Run] = []


class _Recent:
    """The newest answer about each case of each server, for all threads of this process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, CaseAnswer | RegistryServerError]] = {}

    def put(self, address: str, case: str, answer: CaseAnswer | RegistryServerError) -> None:
        with self._guard:
            self._known[address, case] = time.monotonic(), answer

    def get(self, address: str, case: str, fresh_s: float) -> CaseAnswer | None:
        """An answer that is at most so old. Raises an error that is."""
        with self._guard:
            came_s, answer = self._known.get((address, case), (0.0, None))
        if answer is None:
            return None
        age_s = time.monotonic() - came_s
        if isinstance(answer, RegistryServerError):
            if age_s < max(fresh_s, _AGAIN_S):
                raise answer.with_traceback(None)
            return None
        return answer if age_s < fresh_s else None

    def forget(self, address: str, case: str) -> None:
        with self._guard:
            self._known.pop((address, case), None)


_recent = _Recent()


class ServerStore:
    """Models on an MLflow tracking server. Not thread-safe; not to be called in an event loop.

    fresh_s: an alias or history that any store of this process read so lately is not asked for
    again; 0 asks each time.
    last_known: where the server gives no answer, go on with what it last answered, and say so in
    `problem`; otherwise raise RegistryServerError.
    wait_s, warn: as for `Registry`; a server that cannot be reached is asked to write for so long.
    """

    def __init__(  # noqa: PLR0913 - a home, a server, and how it is asked
        self,
        home: Path,
        server: TrackingServer,
        *,
        wait_s: float = 30.0,
        warn: Callable[[str], None] = lambda _message: None,
        fresh_s: float = 0.0,
        last_known: bool = False,
    ) -> None:
        self.problem = ""
        self._address, self._api = server.address, MlflowApi(server)
        self._kept = KeptAnswers(home, server.address)
        self._lock_folder = home.absolute() / FOLDER
        self._wait_s, self._warn = wait_s, warn
        self._fresh_s, self._last_known = fresh_s, last_known

    def alias(self, case: str, alias: str) -> int | None:
        """The version that an alias points at, or None."""
        return self._case(case).aliases.get(alias)

    def audit(self, case: str) -> list[str]:
        """The entries of the promotion history as text, oldest first."""
        return self._case(case).audit

    def versions(self, case: str) -> list[Version]:
        """All versions, oldest first; of a server that is away those that are known here."""
        return self._known_or(
            lambda: self._versions(case), lambda: self._kept.versions(case) or None
        )

    def version(self, case: str, number: int) -> Version | None:
        """One version, or None if there is no such."""
        return self._known_or(
            lambda: self._version(case, number), lambda: self._kept.version(case, number)
        )

    def content(self, known: Version, wanted: WantedFile) -> bytes:
        """Read a file of a version, from the home where it is kept there."""
        if wanted.sha256 is not None and (kept := self._kept.file(wanted.sha256)) is not None:
            return kept
        try:
            content = self._api.file(known.source, wanted.name, wanted.limit)
        except GoneError:
            why = f"{wanted.name} is not among the artifacts of its run {known.run_id}"
            raise RegistryError(wanted.label, why, wanted.cure) from None
        if wanted.sha256 == sha256_of(content):
            self._kept.keep_file(wanted.sha256, content)
        return content

    def check_room(self) -> None:
        """Raise RegistryServerError where the server does not answer, or refuses who asks."""
        self._api.get("registered-models/search", dict[str, Any], max_results=1)

    @contextmanager
    def writing(self, case: str) -> Iterator["_ServerWriter"]:
        """Change what the server keeps, one process of this home at a time."""
        with only_writer(self._lock_folder, case, self._wait_s):
            self._api.patience_s = self._wait_s
            fresh_s, self._fresh_s = self._fresh_s, 0.0
            last_known, self._last_known = self._last_known, False
            try:
                yield _ServerWriter(self._api, self._warn)
            except (GoneError, ThereAlreadyError) as error:
                why = f"MLflow refused ({error})"
                cure = f"List the versions with `barograph models list --case {case}`"
                raise RegistryError(case, why, cure) from None
            finally:
                self._api.patience_s = 0.0
                self._fresh_s, self._last_known = fresh_s, last_known
                _recent.forget(self._address, case)

    def _case(self, case: str) -> CaseAnswer:
        return self._known_or(lambda: self._recent_case(case), lambda: self._kept.answer(case))

    def _recent_case(self, case: str) -> CaseAnswer:
        if self._fresh_s or self._last_known:
            recent = _recent.get(self._address, case, self._fresh_s)
            if recent is not None:
                return recent
        try:
            answer = self._asked_case(case)
        except RegistryServerError as error:
            _recent.put(self._address, case, error)
            raise
        _recent.put(self._address, case, answer)
        self._kept.keep_answer(case, answer)
        return answer

    def _asked_case(self, case: str) -> CaseAnswer:
        try:
            model = self._api.get("registered-models/get", _ModelAnswer, name=case).registered_model
        except GoneError:
            return CaseAnswer()
        entries = sorted((tag.key, tag.value) for tag in model.tags if tag.key.startswith("audit."))
        aliases = {each.alias: each.version for each in model.aliases}
        return CaseAnswer(aliases, [value for _, value in entries])

    def _versions(self, case: str) -> list[Version]:
        aliases = self._asked_case(case).aliases
        quote = '"' if "'" in case else "'"
        named = f"name={quote}{case}{quote}"
        asked: dict[str, str | int] = {"filter": named, "max_results": _PAGE}
        given: list[ModelVersion] = []
        while True:
            page = self._api.get("model-versions/search", _VersionsAnswer, **asked)
            given += page.model_versions
            if not page.next_page_token:
                break
            asked["page_token"] = page.next_page_token
        return [_version_of(each, aliases) for each in sorted(given, key=lambda one: one.version)]

    def _version(self, case: str, number: int) -> Version | None:
        aliases = self._recent_case(case).aliases
        try:
            given = self._api.get(
                "model-versions/get", _VersionAnswer, name=case, version=number
            ).model_version
        except GoneError:
            return None
        version = _version_of(given, aliases)
        self._kept.keep_version(case, version)
        return version

    def _known_or(self, ask: Callable[[], T], kept: Callable[[], T | None]) -> T:
        """What the server answers, or what it last answered where that will do."""
        try:
            answer = ask()
        except RegistryServerError as error:
            if not self._last_known or (known := kept()) is None:
                raise
            self.problem = str(error)
            return known
        self.problem = ""
        return answer


def _version_of(given: ModelVersion, aliases: dict[str, int]) -> Version:
    return Version(
        version=given.version,
        run_id=given.run_id,
        aliases=tuple(sorted(each for each in aliases if aliases[each] == given.version)),
        tags={tag.key: tag.value for tag in given.tags},
        source=given.source,
    )


class _ServerWriter:
    """Changes what a server keeps."""

    def __init__(self, api: MlflowApi, warn: Callable[[str], None]) -> None:
        self._api, self._warn = api, warn

    def add(self, case: str, new: NewVersion) -> int:
        """Store a version, complete or not at all, and return its number."""
        experiment_id = self._experiment(case)
        self._end_abandoned(case, experiment_id)
        run = self._new_run(experiment_id, "version")
        for name, content in new.files.items():
            self._api.put_file(run.artifact_uri, name, content)
        self._log(run.run_id, new.tags, [(key, value, 0) for key, value in new.scores])
        with suppress(ThereAlreadyError):  # by the first version of the case
            self._api.post("registered-models/create", dict[str, Any], name=case)
        made = self._api.post(
            "model-versions/create",
            _VersionAnswer,
            name=case,
            source=run.artifact_uri,
            run_id=run.run_id,
            tags=_tags(new.tags),
        )
        self._end(run.run_id, "FINISHED")
        return made.model_version.version

    def point(self, case: str, alias: str, version: int) -> None:
        """Point an alias at a version."""
        fields = {"name": case, "alias": alias, "version": str(version)}
        self._api.post("registered-models/alias", dict[str, Any], **fields)

    def record(self, case: str, number: int, entry_json: str) -> None:
        """Store an entry of the promotion history, under a key that no other writer takes."""
        key = f"audit.{number:06d}.{time.time_ns()}-{uuid.uuid4().hex[:8]}"
        fields = {"name": case, "key": key, "value": entry_json}
        self._api.post("registered-models/set-tag", dict[str, Any], **fields)

    def attach(self, case: str, known: Version, name: str, content: bytes) -> None:
        """Store a file with a version; replaces one of the same name."""
        self._api.put_file(known.source, name, content)
        fields = {"name": case, "version": str(known.version)}
        tag = {"key": hash_name(name), "value": sha256_of(content)}
        self._api.post("model-versions/set-tag", dict[str, Any], **fields, **tag)

    def add_trials(self, case: str, trials: list[tuple[Trial, dict[str, str]]]) -> None:
        """Store each trial of a search as a run, with its parameters as text."""
        experiment_id = self._experiment(case)
        for trial, params in trials:
            run = self._new_run(experiment_id, "trial")
            scores = [(HELD_OUT, value, fold) for fold, value in enumerate(trial.selection)]
            self._log(run.run_id, params, scores)
            self._end(run.run_id, "FINISHED")

    def _experiment(self, case: str) -> str:
        """The id of a case's experiment, which is made where there is none."""
        with suppress(GoneError):
            return self._known_experiment(case)
        try:
            return self._api.post("experiments/create", _Experiment, name=case).experiment_id
        except ThereAlreadyError:  # another process made it meanwhile
            return self._known_experiment(case)

    def _known_experiment(self, case: str) -> str:
        answer = self._api.get("experiments/get-by-name", _ExperimentAnswer, experiment_name=case)
        return answer.experiment.experiment_id

    def _new_run(self, experiment_id: str, kind: str) -> RunInfo:
        answer = self._api.post(
            "runs/create",
            _RunAnswer,
            experiment_id=experiment_id,
            start_time=_now_ms(),
            tags=[{"key": "kind", "value": kind}],
        )
        return answer.run.info

    def _log(
        self, run_id: str, params: dict[str, str], scores: list[tuple[str, float, int]]
    ) -> None:
        now_ms = _now_ms()
        metrics = [
            {"key": key, "value": value, "timestamp": now_ms, "step": step}
            for key, value, step in scores
        ]
        texts = _tags(params)
        for start in range(0, max(len(texts), len(metrics)), _BATCH):
            batch = slice(start, start + _BATCH)
            self._api.post(
                "runs/log-batch",
                dict[str, Any],
                run_id=run_id,
                params=texts[batch],
                metrics=metrics[batch],
            )

    def _end(self, run_id: str, status: str) -> None:
        fields = {"run_id": run_id, "status": status, "end_time": _now_ms()}
        self._api.post("runs/update", dict[str, Any], **fields)

    def _end_abandoned(self, case: str, experiment_id: str) -> None:
        """End the runs of trainings that were killed a day ago or longer."""
        unended = self._api.post(
            "runs/search",
            _RunsAnswer,
            experiment_ids=[experiment_id],
            filter="attributes.status = 'RUNNING'",
            max_results=_PAGE,
        )
        for run in unended.runs:
            kinds = {tag.value for tag in run.data.tags if tag.key == "kind"}
            if kinds & {"version", "trial"} and run.info.start_time < _now_ms() - _ABANDONED_MS:
                self._end(run.info.run_id, "KILLED")
                self._warn(f"a training of {case} that was killed left run {run.info.run_id}")


def _tags(texts: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": text} for key, text in texts.items()]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
