"""Tokens of the account's key: what the venue wants of them, and nothing of the key elsewhere."""

from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from barograph.errors import BadInputError
from barograph.feed.credentials import KEY, SECRET, Credentials, from_environment

jwt = pytest.importorskip("jwt")

NAME = "organizations/o/apiKeys/k"


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def raw(key):
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return key.private_bytes_raw() + public


EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
SECRETS = {
    "pem": (pem(EC), EC, "ES256"),
    "pem in one line": (pem(EC).replace("\n", "\\n"), EC, "ES256"),
    "64 bytes": (b64encode(raw(ED)).decode(), ED, "EdDSA"),
    "32 bytes": (b64encode(raw(ED)[:32]).decode(), ED, "EdDSA"),
    "pem of Ed25519": (pem(ED), ED, "EdDSA"),
}


@pytest.mark.parametrize(("secret", "key", "algorithm"), SECRETS.values(), ids=SECRETS)
def test_a_token_says_who_asks_and_is_signed_with_the_key(secret, key, algorithm):
    credentials = from_environment({KEY: NAME, SECRET: secret})
    first, second = (credentials.token(1_000) for _ in range(2))
    claims = jwt.decode(
        first, key.public_key(), algorithms=[algorithm],
        options={"verify_exp": False, "verify_nbf": False},
    )  # fmt: skip
    assert claims == {"iss": "cdp", "sub": NAME, "nbf": 1_000, "exp": 1_120}
    heads = [jwt.get_unverified_header(token) for token in (first, second)]
    assert {head["kid"] for head in heads} == {NAME}
    assert heads[0]["nonce"] != heads[1]["nonce"]
    assert secret not in repr(vars(credentials))


WRONG = {
    "no key": "hunter2-hunter2",
    "no base64": "é",
    "too short": b64encode(b"short").decode(),
    "another curve": pem(ec.generate_private_key(ec.SECP384R1())),
    "another kind": pem(rsa.generate_private_key(65537, 2048)),
    "a broken pem": pem(EC)[:80],
}


@pytest.mark.parametrize("secret", WRONG.values(), ids=WRONG)
def test_an_unusable_key_is_one_line_that_does_not_show_it(secret):
    with pytest.raises(BadInputError, match=SECRET) as refused:
        Credentials(NAME, secret)
    assert secret[:20] not in str(refused.value)
    assert refused.value.__cause__ is None


def test_half_a_key_is_refused_and_none_is_none():
    assert from_environment({}) is None
    assert from_environment({KEY: "", SECRET: ""}) is None
    for half in ({KEY: NAME}, {SECRET: "s"}):
        with pytest.raises(BadInputError, match="Set both"):
            from_environment(half)
