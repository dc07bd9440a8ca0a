"""The key of a venue's account, from the environment alone, and the tokens that it signs.

A secret is never shown: not in an error, a log line or a `repr`, and the archive holds only what
was received.
"""

import secrets
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from barograph.errors import BadInputError, MissingExtraError
from barograph.venues.coinbase.endpoints import claims

KEY, SECRET = "COINBASE_API_KEY", "COINBASE_API_SECRET"
"""The environment's names for a key of the CDP portal: its name and its private key."""


class Credentials:
    """A key's name and its private key, ready to sign."""

    def __init__(self, name: str, secret: str) -> None:
        r"""Raises MissingExtraError without the extra `jwt`, BadInputError for an unusable key.

        secret: a PEM of an EC key (its newlines may be written as `\n`), or base64 of an Ed25519
        key's 64 bytes (32 are enough): the two forms in which the portal gives keys.
        """
        self._name = name
        self._key, self._algorithm = _private_key(secret)

    def token(self, now_s: int) -> str:
        """Return a fresh JWT for one subscription."""
        import jwt  # noqa: PLC0415 - an extra

        signed: str = jwt.encode(
            claims(self._name, now_s),
            self._key,
            algorithm=self._algorithm,
            headers={"kid": self._name, "nonce": secrets.token_hex(16)},
        )
        return signed


def from_environment(environment: Mapping[str, str]) -> Credentials | None:
    """Return the credentials from the environment; None where it has none."""
    name, secret = environment.get(KEY, ""), environment.get(SECRET, "")
    if not name and not secret:
        return None
    if not name or not secret:
        raise BadInputError(
            KEY if name else SECRET,
            f"it is set without {SECRET if name else KEY}",
            "Set both, or none for public channels",
        )
    return Credentials(name, secret)


def _private_key(secret: str) -> tuple[Any, str]:
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric.ec import (  # noqa: PLC0415 - an extra
            SECP256R1,
            EllipticCurvePrivateKey,
        )
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PrivateKey,
        )
        from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
            load_pem_private_key,
        )
        from jwt import PyJWK  # noqa: F401, PLC0415 - only whether it is there
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"{KEY} (a token for Coinbase)", "jwt") from error
    try:
        if "-----BEGIN" not in secret:
            return Ed25519PrivateKey.from_private_bytes(b64decode(secret, validate=True)[:32]), (
                "EdDSA"
            )
        key = load_pem_private_key(secret.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None  # and raised below without a chain, which might show the secret
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key, "ES256"
    if isinstance(key, Ed25519PrivateKey):
        return key, "EdDSA"
    raise BadInputError(
        SECRET,
        "it is no private key of ES256 or Ed25519",
        "Copy it as the CDP portal shows it",
    )
