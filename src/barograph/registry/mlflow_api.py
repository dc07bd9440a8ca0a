"""The REST API of an MLflow tracking server: requests, their answers, and what is wrong with them.

Plain HTTP, without importing MLflow, which takes seconds. What a server answers is decoded into the
few fields that are needed; its texts are foreign and are shown harmlessly.
"""

import asyncio
import socket
import ssl
import time
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from msgspec import Meta

from barograph.codec import UNREADABLE
from barograph.errors import RegistryError, RegistryServerError
from barograph.registry.s3_files import ENDPOINTS, REGIONS, refusal, s3_access, utc_now
from barograph.registry.tracking_server import CA_FILE, PASSWORD, TOKEN, USERNAME, TrackingServer
from barograph.rest import Answer, AnswerError, Question, Rest
from barograph.wire import Loop, reason_of, shown

MAX_JSON_BYTES = 64 << 20
"""Of an answer; a version takes about four kilobytes."""

JSON_S, FILE_S = 15.0, 120.0
"""How long an answer may take, and a file."""

_ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"
_PAUSE_S = 0.5
_LATER = {429, 502, 503, 504}
"""Statuses of a server, or of what stands before it, that did nothing yet and may do it later."""

_OF_ANOTHER_NAME = {62, 64}
"""OpenSSL's codes of a certificate for another host name, or another IP address."""

_GONE = {"RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}
_THERE = {"RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"}

Number = Annotated[int, Meta(ge=1)]
T = TypeVar("T")


class Tag(msgspec.Struct, frozen=True):
    """A tag of anything."""

    key: str
    value: str = ""


class AliasOf(msgspec.Struct, frozen=True):
    """An alias of a registered model."""

    alias: str
    version: Number


class RegisteredModel(msgspec.Struct, frozen=True):
    """A registered model: its aliases and tags."""

    aliases: list[AliasOf] = []
    tags: list[Tag] = []


class ModelVersion(msgspec.Struct, frozen=True):
    """A version of a registered model; `source` is where its files are."""

    version: Number
    run_id: str = ""
    source: str = ""
    tags: list[Tag] = []


class RunInfo(msgspec.Struct, frozen=True):
    """A run; `start_time` in Unix milliseconds, `artifact_uri` is where its files go."""

    run_id: str
    artifact_uri: str = ""
    start_time: int = 0


class RunData(msgspec.Struct, frozen=True):
    """What is kept with a run, as far as it is needed."""

    tags: list[Tag] = []


class Run(msgspec.Struct, frozen=True):
    """A run as a server answers it."""

    info: RunInfo
    data: RunData = RunData()


class _Refusal(msgspec.Struct, frozen=True):
    error_code: str = ""
    message: str = ""


class GoneError(Exception):
    """What was asked for is not on the server."""


class ThereAlreadyError(Exception):
    """What was to be made is on the server already."""


class MlflowApi:
    """Asks one server. Not thread-safe, and not to be called where an event loop runs.

    Raises RegistryServerError where no answer is of use, RegistryError where the server refuses
    what is asked, with its words.
    `patience_s`: for how long a server that cannot be reached, or is busy, is asked again.
    """

    patience_s = 0.0

    def __init__(self, server: TrackingServer) -> None:
        self.server = server
        self._rest = Rest(proxies=True, ca_file=server.ca_file)

    def get(self, what: str, kind: type[T], **parameters: str | int) -> T:
        """Ask `what`, such as "registered-models/get". Raises GoneError too."""
        return self._decoded(self._asked("GET", f"{what}?{urlencode(parameters)}", None), kind)

    def post(self, what: str, kind: type[T], /, **fields: Any) -> T:  # noqa: ANN401 - JSON
        """Send `fields` to `what`. Raises GoneError and ThereAlreadyError too."""
        return self._decoded(self._asked("POST", what, fields), kind)

    def file(self, folder: str, name: str, limit: int) -> bytes:
        """The file `name` of an artifact folder. Raises GoneError too."""
        if urlsplit(folder).scheme == "s3":
            return self._in_bucket("GET", folder, name, b"", limit)
        question = Question("GET", (*self.server.headers(), ("Accept", "*/*")))
        return self._sent(self._artifact(folder, name), question, FILE_S, limit).body

    def put_file(self, folder: str, name: str, content: bytes) -> None:
        """Store a file in an artifact folder."""
        if urlsplit(folder).scheme == "s3":
            self._in_bucket("PUT", folder, name, content, MAX_JSON_BYTES)
            return
        kind = ("Content-Type", "application/octet-stream")
        question = Question("PUT", (*self.server.headers(), kind), content)
        self._sent(self._artifact(folder, name), question, FILE_S, MAX_JSON_BYTES)

    def _in_bucket(self, method: str, folder: str, name: str, content: bytes, limit: int) -> bytes:
        """Read or write a file that clients reach without the server."""
        access = s3_access(self.server.address)
        url, question = access.request(method, folder, name, content, utc_now())
        bucket = Rest(proxies=True, ca_file=access.ca_file)
        try:
            answer = self._exchanged(url, question, FILE_S, limit, bucket)
        except (OSError, AnswerError) as error:
            why = f"its bucket at {access.endpoint} gives no answer of use ({reason_of(error)})"
            cure = f"Correct {ENDPOINTS[-1]} or {REGIONS[-1]}, and try again"
            raise RegistryServerError(self.server.address, why, cure) from None
        if answer.status == 404 and method == "GET":
            raise GoneError(refusal(answer))
        if not 200 <= answer.status < 300:
            cure = "Let its owner allow this key to read and write there, or try again later"
            raise RegistryServerError(self.server.address, refusal(answer), cure)
        return answer.body

    def _asked(self, method: str, what: str, fields: dict[str, Any] | None) -> Answer:
        body = b"" if fields is None else msgspec.json.encode(fields)
        kind = () if fields is None else (("Content-Type", "application/json"),)
        question = Question(method, (*self.server.headers(), *kind), body)
        url = f"{self.server.address}/api/2.0/mlflow/{what}"
        return self._sent(url, question, JSON_S, MAX_JSON_BYTES)

    def _artifact(self, folder: str, name: str) -> str:
        """The address of a file that the server keeps. Raises RegistryServerError for others."""
        parts, ours = urlsplit(folder), urlsplit(self.server.address)
        path = parts.path.strip("/")
        if parts.scheme in {"http", "https"}:
            _, proxied, path = path.partition(f"{_ARTIFACTS}/")
            known = bool(proxied) and parts.netloc == ours.netloc
        else:
            known = parts.scheme == "mlflow-artifacts" and parts.netloc in {"", ours.netloc}
        if not known or ".." in path.split("/"):
            why = f"it keeps files at {shown(folder)}, which it does not hand over itself"
            cure = "Start it with `--serve-artifacts`, and train in an experiment made since then"
            raise RegistryServerError(self.server.address, why, cure)
        return f"{self.server.address}/{_ARTIFACTS}/{quote(f'{path}/{name}')}"

    def _sent(self, url: str, question: Question, limit_s: float, most_bytes: int) -> Answer:
        """The answer to a question, which is asked again where that is safe."""
        ends_s = time.monotonic() + self.patience_s
        while True:
            again = time.monotonic() < ends_s
            try:
                answer = self._exchanged(url, question, limit_s, most_bytes)
            except (ConnectionRefusedError, socket.gaierror) as error:  # nothing was sent
                if not again:
                    raise self._away(error) from None
            except (OSError, AnswerError) as error:
                raise self._away(error) from None
            else:
                if not (again and answer.status in _LATER):
                    self._check(answer)
                    return answer
            time.sleep(_PAUSE_S)

    def _exchanged(
        self,
        url: str,
        question: Question,
        limit_s: float,
        most_bytes: int,
        rest: Rest | None = None,
    ) -> Answer:
        async def answered() -> Answer:
            async with asyncio.timeout(limit_s):
                return await (rest or self._rest).answer(url, question, most_bytes)

        with asyncio.Runner(loop_factory=Loop) as runner:
            return runner.run(answered())

    def _away(self, error: Exception) -> RegistryServerError:
        """What keeps an answer from coming, with its cure."""
        server = self.server
        cure = f"Start it, or correct {server.named}; `barograph doctor` says whether it answers"
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted ({shown(error.verify_message)})"
            cure = f"Name the certificate of its authority in {CA_FILE}"
            if error.verify_code in _OF_ANOTHER_NAME:
                cure = f"Correct {server.named}: the certificate is of another host"
        elif isinstance(error, ssl.SSLError):
            why = f"no encrypted connection can be made ({shown(error.reason or str(error))})"
            cure = f"Correct {server.named}: a server without TLS begins with http://"
        elif isinstance(error, TimeoutError):
            why = "it does not answer in time"
        elif isinstance(error, AnswerError):
            why = f"its answer is of no use ({error})"
            cure = f"Correct {server.named}: it names the server of MLflow, without `/api` or `/#`"
        else:
            why = f"it cannot be reached ({reason_of(error)})"
        return RegistryServerError(server.address, why, cure)

    def _check(self, answer: Answer) -> None:
        """Raise an error for any answer but a success."""
        if 200 <= answer.status < 300:
            return
        address, named = self.server.address, self.server.named
        try:
            refusal = msgspec.json.decode(answer.body, type=_Refusal)
        except UNREADABLE:
            refusal = _Refusal()
        if refusal.error_code in _GONE:
            raise GoneError(refusal.message)
        if refusal.error_code in _THERE:
            raise ThereAlreadyError(refusal.message)
        words = f" ({shown(refusal.message)})" if refusal.message else ""
        if answer.status == 401:
            wants = (
                "it refuses the credentials"
                if self.server.has_credentials
                else ("it wants to know who asks")
            )
            cure = f"Set {USERNAME} and {PASSWORD}, or {TOKEN}, to those of an account there"
            raise RegistryServerError(address, wants, cure)
        if answer.status == 403:
            cure = "Let its administrator allow this account to edit experiments and models"
            raise RegistryServerError(address, f"it does not permit this{words}", cure)
        if answer.status in {404, 405, 501} and not words:
            why = f"it has no such address (HTTP status {answer.status})"
            cure = f"Correct {named}, or update the server: aliases need MLflow 2.3"
            raise RegistryServerError(address, why, cure)
        if answer.status < 500 and refusal.error_code:
            cure = "List the versions with `barograph models list --case …`"
            raise RegistryError(f"at {address}", f"MLflow refused{words}", cure)
        why = f"it answers with HTTP status {answer.status}{words}"
        raise RegistryServerError(address, why, "See the server's own log, and try again")

    def _decoded(self, answer: Answer, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind, strict=False)
        except UNREADABLE as error:
            why = f"its answer is none of MLflow ({shown(str(error))})"
            cure = f"Correct {self.server.named}: it names the server of MLflow"
            raise RegistryServerError(self.server.address, why, cure) from None
