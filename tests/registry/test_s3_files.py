"""Requests to S3, held against Amazon's own example, and what the environment says about it."""

from datetime import UTC, datetime

import pytest

from barograph.errors import RegistryServerError
from barograph.registry.s3_files import (
    ENDPOINTS,
    KEY,
    SECRET,
    SESSION,
    S3Access,
    refusal,
    s3_access,
)
from barograph.rest import Answer

ADDRESS = "http://127.0.0.1:5000"
KEYS = {KEY: "AKIAIOSFODNN7EXAMPLE", SECRET: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
NOW = datetime(2013, 5, 24, tzinfo=UTC)


def test_the_signature_is_that_of_amazons_example():
    """The example of a GET in its "Authenticating Requests" (the authorization header)."""
    access = s3_access(ADDRESS, KEYS)
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "range": "bytes=0-9",
        "x-amz-content-sha256": empty,
        "x-amz-date": "20130524T000000Z",
    }
    given = access.authorization("GET", "/test.txt", headers, NOW)
    assert given == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "https://s3.us-east-1.amazonaws.com/b/1/run/artifacts/a%20b.json"),
        ({"AWS_REGION": "eu-central-1"},
         "https://s3.eu-central-1.amazonaws.com/b/1/run/artifacts/a%20b.json"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9000/"},
         "http://127.0.0.1:9000/b/1/run/artifacts/a%20b.json"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", ENDPOINTS[0]: "https://hub.org/ann.s3"},
         "https://hub.org/ann.s3/b/1/run/artifacts/a%20b.json"),
    ],
)  # fmt: skip
def test_a_file_is_asked_for_at_the_endpoint_of_the_environment(more, url):
    access = s3_access(ADDRESS, KEYS | more)
    asked, question = access.request("GET", "s3://b/1/run/artifacts/", "a b.json", b"", NOW)
    assert asked == url
    assert not [name for name, _ in question.headers if name in {"host", "x-amz-security-token"}]


def test_the_token_of_a_session_is_sent_and_signed():
    access = s3_access(ADDRESS, KEYS | {SESSION: "of an hour"})
    headers = dict(access.request("PUT", "s3://b", "a", b"content", NOW)[1].headers)
    assert headers["x-amz-security-token"] == "of an hour"
    assert "x-amz-date;x-amz-security-token," in headers["Authorization"]


@pytest.mark.parametrize("wrong", [
    {KEY: ""}, {SECRET: ""}, {KEY: "a\nb"}, {ENDPOINTS[0]: "s3.example.org"},
    {ENDPOINTS[0]: "ftp://s3.example.org"}, {ENDPOINTS[1]: "https://ann:word@s3.example.org"},
])  # fmt: skip
def test_an_environment_of_no_use_is_one_line_without_a_secret(wrong):
    with pytest.raises(RegistryServerError) as caught:
        s3_access(ADDRESS, KEYS | wrong)
    assert ADDRESS in str(caught.value)
    assert KEYS[SECRET] not in str(caught.value)
    assert "word" not in str(caught.value)
    access = S3Access(key="k", secret="s3cret", endpoint="https://s3.example.org")  # noqa: S106
    assert "s3cret" not in repr(access)


def test_a_refusal_says_the_word_of_the_bucket():
    body = b"<Error><Code>SignatureDoesNotMatch</Code></Error>"
    said = refusal(Answer(403, body))
    assert said == "its bucket answers with HTTP status 403 (SignatureDoesNotMatch)"
    assert refusal(Answer(500, b"")) == "its bucket answers with HTTP status 500"
