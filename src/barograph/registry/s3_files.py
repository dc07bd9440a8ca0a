"""Files that lie in an S3 bucket, which a tracking server names and each client reaches itself.

Requests are signed by AWS Signature Version 4, in one piece and with the hash of what is sent
(Source: Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header"). They
go to the endpoint that the environment names, or to Amazon's, whatever a server answers; buckets
are addressed by path, as every kind of S3 understands.
"""

import hashlib
import hmac
import os
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

import msgspec

from barograph.errors import BarographError, RegistryServerError
from barograph.rest import Answer, Question
from barograph.wire import shown

KEY, SECRET, SESSION = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
ENDPOINTS = ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
CA_FILE = "AWS_CA_BUNDLE"

_ALGORITHM = "AWS4-HMAC-SHA256"
_CODE = re.compile(rb"<Code>([\w.]{1,80})</Code>")


class S3Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for files, and where. ca_file: empty for the system's certificates."""

    key: str
    secret: str
    session: str = ""
    region: str = "us-east-1"
    endpoint: str
    ca_file: str = ""

    def __repr__(self) -> str:
        """Without secrets."""
        return f"S3Access({self.endpoint!r})"

    def request(
        self, method: str, folder: str, name: str, content: bytes, now: datetime
    ) -> tuple[str, Question]:
        """The address and the signed request for a file of an s3:// folder; `now` is in UTC."""
        parts = urlsplit(folder)
        names = (parts.netloc, parts.path.strip("/"), name)
        ours = urlsplit(self.endpoint)
        path = ours.path + quote("/" + "/".join(each for each in names if each), "/-_.~")
        host = ours.netloc
        stamp, sent = f"{now:%Y%m%dT%H%M%SZ}", hashlib.sha256(content).hexdigest()
        signed = {"host": host, "x-amz-content-sha256": sent, "x-amz-date": stamp}
        if self.session:
            signed["x-amz-security-token"] = self.session
        signature = self.authorization(method, path, signed, now)
        headers = [each for each in signed.items() if each[0] != "host"]  # that one is sent anyway
        question = Question(method, (*headers, ("Authorization", signature)), content)
        return f"{ours.scheme}://{host}{path}", question

    def authorization(
        self, method: str, path: str, headers: Mapping[str, str], now: datetime
    ) -> str:
        """The header of who asks, for a request without a query; `headers` by name, in order."""
        names = ";".join(headers)
        lines = [f"{name}:{value}\n" for name, value in headers.items()]
        canonical = "\n".join(
            [method, path, "", "".join(lines), names, headers["x-amz-content-sha256"]]
        )
        scope = f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join([_ALGORITHM, headers["x-amz-date"], scope, digest])
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = _hmac(key, part)
        signature = _hmac(key, text).hex()
        given = f"Credential={self.key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return f"{_ALGORITHM} {given}"


def s3_access(address: str, environment: Mapping[str, str] | None = None) -> S3Access:
    """What the environment says about S3, for the files of the registry at `address`.

    Raises RegistryServerError where it does not say who asks, or names an endpoint of no use.
    """

    def refused(why: str, cure: str) -> RegistryServerError:
        why = f"it keeps files in a bucket that clients reach themselves, and {why}"
        return RegistryServerError(address, why, f"{cure}, or start it with `--serve-artifacts`")

    return access_in(os.environ if environment is None else environment, refused)


def access_in(
    variables: Mapping[str, str], refused: Callable[[str, str], BarographError]
) -> S3Access:
    """What these variables say about S3: who asks, where, and whose certificates are believed.

    refused: makes the error that is raised, from facts and cure, where they do not say who asks or
    name an endpoint of no use.
    """
    cure = f"Set {KEY} and {SECRET}"
    for name in (KEY, SECRET):
        if not variables.get(name):
            raise refused(f"{name} is not set", cure)
    for name in (KEY, SECRET, SESSION, *REGIONS):
        if not variables.get(name, "").isprintable():
            raise refused(f"{name} holds characters that no header can", cure)
    region = next((variables[name] for name in REGIONS if variables.get(name)), "us-east-1")
    named = next((name for name in ENDPOINTS if variables.get(name)), "")
    endpoint = variables[named].rstrip("/") if named else f"https://s3.{region}.amazonaws.com"
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        why = f"the endpoint in {named or REGIONS[0]} is no http or https address"
        raise refused(why, 'Give one as "https://s3.example.org"')
    return S3Access(
        key=variables[KEY],
        secret=variables[SECRET],
        session=variables.get(SESSION, ""),
        region=region,
        endpoint=endpoint,
        ca_file=variables.get(CA_FILE, ""),
    )


def refusal(answer: Answer) -> str:
    """Why a bucket does not do what was asked, in its own word where it has one."""
    code = _CODE.search(answer.body)
    word = f" ({shown(code[1].decode())})" if code else ""
    return f"its bucket answers with HTTP status {answer.status}{word}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def utc_now() -> datetime:
    """The time of a request."""
    return datetime.now(UTC)
