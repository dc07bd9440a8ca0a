"""Stores by fsspec: a folder and a memory here, a real S3 server in the stories."""

import hashlib
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

import pytest

from barograph.archive import object_store
from barograph.archive.object_store import open_store
from barograph.errors import BadInputError, MissingExtraError, ObjectStoreError

NEEDS_S3 = pytest.mark.skipif(find_spec("s3fs") is None, reason="the extra lake is not installed")
KEYS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "s3cret"}
CONTENT = b"content" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    there = tmp_path / "a store [1] 50%"
    return open_store(str(there) if request.param == "file" else f"memory://{there}")


def test_what_is_put_is_listed_read_proven_and_fetched(store, source, tmp_path):
    assert store.sizes("archive") == {}
    store.put(source, "archive/a b%2F", DIGEST)
    store.write(b"small", "archive/book.json")
    assert store.sizes("archive") == {"archive/a b%2F": len(CONTENT), "archive/book.json": 5}
    assert store.read("archive/book.json") == b"small"
    assert store.proves("archive/a b%2F", DIGEST, len(CONTENT))
    assert not store.proves("archive/a b%2F", DIGEST, 1)
    assert not store.proves("archive/book.json", DIGEST, 5)
    with patch.object(object_store, "_CHUNK_BYTES", 100):
        assert store.fetch("archive/a b%2F", tmp_path / "fetched") == DIGEST
    assert (tmp_path / "fetched").read_bytes() == CONTENT


def test_what_is_removed_is_gone_and_all_else_stays(store):
    for name in ("a/b/1", "a/b/2", "a/bc"):
        store.write(b"x", name)
    assert store.has("a/b/1")
    store.remove("a/b")
    assert not store.has("a/b/1")
    assert store.sizes("a") == {"a/bc": 1}
    store.remove("a/b")  # nothing is there


def test_what_arrives_otherwise_is_refused(store, source):
    with pytest.raises(ObjectStoreError, match="what stands there after it was sent is not"):
        store.put(source, "a", "0" * 64)


def test_what_is_not_there_or_not_small_is_refused_by_name(store, source, tmp_path):
    with pytest.raises(ObjectStoreError, match=r"/none: it is not there"):
        store.read("none")
    with pytest.raises(ObjectStoreError, match=r"/none: it is not there"):
        store.fetch("none", tmp_path / "x")
    store.put(source, "large", DIGEST)
    with (
        patch.object(object_store, "_MOST_READ_BYTES", 10),
        pytest.raises(ObjectStoreError, match="it has more than"),
    ):
        store.read("large")


def test_a_file_that_cannot_be_written_here_is_said_of_the_file(store, source, tmp_path):
    store.put(source, "a", DIGEST)
    with pytest.raises(BadInputError, match="cannot be written"):
        store.fetch("a", tmp_path)


def test_a_folder_is_one_of_this_machine_and_a_memory_is_none(tmp_path):
    assert open_store(f"file://{tmp_path}/x/").folder == tmp_path / "x"
    assert open_store(str(tmp_path)).address == f"file://{tmp_path}"
    assert open_store("memory://x").folder is None


@pytest.mark.parametrize(
    "address",
    ["", "zip://x::s3://b/y", "sftp://ann:pa55word@host/x", "s3://b/x?versionId=1", "s3://b#x"],
)
def test_an_address_of_no_use_is_refused_without_its_secret(address):
    with pytest.raises(BadInputError) as refused:
        open_store(address, KEYS)
    assert "s3://bucket/prefix" in str(refused.value)
    assert "pa55word" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("what://x", "nothing here reaches it"),
        ("s3:///x", "it names no bucket"),
        ("file:///", "it is the whole disk"),
    ],
)
def test_an_address_that_nobody_knows_is_refused(address, why):
    with pytest.raises(BadInputError, match=why):
        open_store(address, KEYS)


@NEEDS_S3
@pytest.mark.parametrize("lacking", KEYS)
def test_secrets_of_s3_come_from_the_environment_alone(lacking):
    with pytest.raises(ObjectStoreError, match=f"{lacking} is not set"):
        open_store("s3://bucket/x", {**KEYS, lacking: ""})


@NEEDS_S3
def test_s3_is_asked_by_path_at_the_endpoint_of_the_environment():
    more = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_CA_BUNDLE": "/ca", "AWS_REGION": "r"}
    store = open_store("s3://bucket/x/", KEYS | more)
    system = store._system
    assert (store.address, store.folder) == ("s3://bucket/x", None)
    assert (system.key, system.secret, system.endpoint_url) == (
        "key", "s3cret", "http://127.0.0.1:9000",
    )  # fmt: skip
    assert system.client_kwargs == {"region_name": "r", "verify": "/ca"}
    assert system.config_kwargs["s3"] == {"addressing_style": "path"}


@pytest.mark.parametrize(("address", "module"), [("x", "fsspec"), ("s3://b/x", "s3fs")])
def test_without_the_extra_it_is_named(monkeypatch, address, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match="needs the extra 'lake'"):
        open_store(address, KEYS)


@NEEDS_S3
def test_a_server_that_is_away_is_one_line_that_says_what_to_check():
    endpoint = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with patch.object(object_store, "_CONNECT_S", 1):
        store = open_store("s3://bucket/x", KEYS | endpoint)
    with pytest.raises(ObjectStoreError, match=r"Could not connect.*Check the address and AWS_E"):
        store.sizes("archive")


def test_a_protocol_that_cannot_be_written_says_so(source):
    store = open_store("http://127.0.0.1:9/x")
    with pytest.raises(ObjectStoreError):
        store.put(source, "a", DIGEST)


def test_a_folder_that_cannot_be_made_is_refused(source):
    for place in ("/proc/none", str(Path(source) / "x")):
        with pytest.raises(ObjectStoreError):
            open_store(place).put(source, "a", DIGEST)
