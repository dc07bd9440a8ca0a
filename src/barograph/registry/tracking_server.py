"""Which MLflow tracking server keeps the models, if one does, and as who it is asked.

The names of the variables are MLflow's own, so what is set for its client is enough.
"""

import os
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from barograph.errors import BadInputError
from barograph.foreign import one_line

URI = "MLFLOW_TRACKING_URI"
USERNAME, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105 - the name of a variable
CA_FILE = "MLFLOW_TRACKING_SERVER_CERT_PATH"
INSECURE = "MLFLOW_TRACKING_INSECURE_TLS"

SETTING = "the setting `registry`"
HOME = "home"
"""The value of that setting for the registry under the home, whatever MLflow's variable says."""

_SCHEMES = {"http", "https"}
_TRUE = {"true", "1"}


class TrackingServer(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a server, without credentials, and how it is asked.

    named: what names the address, for messages. ca_file: the certificates to trust, empty for the
    system's.
    """

    address: str
    named: str
    username: str = ""
    password: str = ""
    token: str = ""
    ca_file: str = ""

    def __repr__(self) -> str:
        """Without secrets."""
        return f"TrackingServer({self.address!r})"

    @property
    def has_credentials(self) -> bool:
        """Whether requests say who asks."""
        return bool(self.username or self.token)

    @property
    def is_plain(self) -> bool:
        """Whether credentials are sent over a network that anybody on it can read."""
        parts = urlsplit(self.address)
        return (
            self.has_credentials
            and parts.scheme == "http"
            and parts.hostname not in {"localhost", "127.0.0.1", "::1"}
        )

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header that says who asks; a name goes before a token, as with MLflow's client."""
        if self.username:
            coded = b64encode(f"{self.username}:{self.password}".encode()).decode()
            return (("Authorization", f"Basic {coded}"),)
        return (("Authorization", f"Bearer {self.token}"),) if self.token else ()


def tracking_server(
    setting: str = "", environment: Mapping[str, str] | None = None
) -> TrackingServer | None:
    """The server that keeps the models; None where the home does.

    setting: an http or https address; "home" for the registry under the home; or empty, and then
    MLFLOW_TRACKING_URI counts where it is an http or https address. Raises BadInputError for an
    address that cannot be used; its text has no secret.
    """
    variables = os.environ if environment is None else environment
    if setting == HOME:
        return None
    named, uri = (SETTING, setting) if setting else (URI, variables.get(URI, "").strip())
    scheme = uri.partition(":")[0].lower()
    if not setting and scheme not in _SCHEMES:
        return None  # a file, a database or a service of MLflow's own client
    parts = _parts(named, uri)
    if parts.username is not None and setting:
        cure = f"Leave them out, and set {USERNAME} and {PASSWORD}"
        raise BadInputError(named, "it holds credentials, which belong into no file", cure)
    if variables.get(INSECURE, "").lower() in _TRUE:
        cure = f"Unset it, and name the certificate of its authority in {CA_FILE}"
        raise BadInputError(INSECURE, "certificates are always verified", cure)
    host = parts.netloc.rpartition("@")[2]
    headers = {
        "username": unquote(parts.username or "") or variables.get(USERNAME, ""),
        "password": unquote(parts.password or "") or variables.get(PASSWORD, ""),
        "token": variables.get(TOKEN, ""),
    }
    for name, value in headers.items():
        if not value.isprintable():
            why = f"the {name} holds characters that no header can"
            raise BadInputError(f"the credentials for {host}", why, "Set it again, on one line")
    address = f"{scheme}://{host}{parts.path}".rstrip("/")
    return TrackingServer(address=address, named=named, ca_file=_ca_file(variables), **headers)


def _parts(named: str, uri: str) -> SplitResult:
    """An address in its parts. Raises BadInputError."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError as error:
        raise BadInputError(named, f"it is no address ({one_line(error)})", _CURE) from None
    if parts.scheme not in _SCHEMES or not parts.hostname or port == 0 or not uri.isprintable():
        raise BadInputError(named, "it is no http or https address", _CURE)
    if parts.query or parts.fragment:
        raise BadInputError(named, "it has more than host and path", _CURE)
    return parts


_CURE = 'Give one as "https://mlflow.example.org", or "home" for the registry under the home'


def _ca_file(variables: Mapping[str, str]) -> str:
    ca_file = variables.get(CA_FILE, "")
    if ca_file and not os.path.isfile(ca_file):  # noqa: PTH113 - it may be any text
        raise BadInputError(CA_FILE, "it names no file", "Name a file with certificates in PEM")
    return ca_file
