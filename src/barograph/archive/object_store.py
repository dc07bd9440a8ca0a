"""Objects under an address: a bucket of S3, a folder, or whatever else fsspec reaches.

Each is there whole or not at all, and what was sent is proven: the store's own SHA-256 of it counts
where it has one, else it is read back. Secrets of S3 come from the environment alone, by the same
variables as for the registry's bucket (`registry.s3_files`).
"""

import base64
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

from barograph.errors import BadInputError, MissingExtraError, ObjectStoreError
from barograph.files.disk import declared, put_in_place
from barograph.registry.s3_files import KEY, SECRET, S3Access, access_in

EXTRA = "lake"
_S3 = ("s3", "s3a")
_LOCAL = ("file", "local")
_WHOLE_AT_ONCE = {*_S3, "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"}
"""Protocols by which an object gets its name only once all of it is there."""

_CHUNK_BYTES = 16 << 20
_PART_BYTES = 64 << 20
"""Of an object that goes in parts, which is one of twice as many bytes or more."""

_MOST_READ_BYTES = 64 << 20

_CONNECT_S, _READ_S = 10, 60
_AGAIN = "Try again: what was sent or brought back whole is kept"


class ObjectStore:
    """Objects by their names, which are relative to the address. Not thread-safe."""

    def __init__(self, address: str, system: Any, root: str, failures: Any) -> None:  # noqa: ANN401 - fsspec has no types
        self.address = address
        self._system, self._root, self._failures = system, root, failures
        protocols = system.protocol
        self._protocol = protocols if isinstance(protocols, str) else protocols[0]

    @property
    def folder(self) -> Path | None:
        """The folder on this machine that it is; None of another kind."""
        return Path(self._root) if self._protocol in _LOCAL else None

    def of(self, name: str) -> str:
        """The address of an object, as errors name it."""
        return f"{self.address}/{name}"

    def sizes(self, below: str) -> dict[str, int]:
        """Bytes of each object whose name begins with `below/`, by name. Raises ObjectStoreError.

        Where there is no such bucket it says so; a folder that is not there has none.
        """
        root = f"{self._root}/{below}"
        with self._told():
            if self._protocol in _S3:  # `find` says nothing of a bucket that is not there
                bucket, _, prefix = root.partition("/")
                self._system.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix, MaxKeys=1)
            found = self._system.find(root, detail=True)
        start = len(self._root.lstrip("/")) + 1
        return {name.lstrip("/")[start:]: facts["size"] for name, facts in found.items()}

    def has(self, name: str) -> bool:
        """Whether an object is there. Raises ObjectStoreError."""
        with self._told(name):
            return bool(self._system.exists(self._path(name)))

    def remove(self, below: str) -> None:
        """Remove all objects whose name begins with `below/`. Raises ObjectStoreError."""
        for name in self.sizes(below):
            with self._told(name):
                self._system.rm_file(self._path(name))  # `rm` takes [1] in a name for a pattern
        if self.folder is not None:
            shutil.rmtree(self.folder / below, ignore_errors=True)  # the folders that are left

    def read(self, name: str) -> bytes:
        """A small object. Raises ObjectStoreError, for one over 64 MiB too."""
        content = b""
        for chunk in self._chunks(name):
            content += chunk
            if len(content) > _MOST_READ_BYTES:
                why = f"it has more than {_MOST_READ_BYTES >> 20} MiB"
                raise ObjectStoreError(self.of(name), why, "It is nothing of ours: remove it")
        return content

    def put(self, source: Path, name: str, digest: str) -> None:
        """Put a file there, whole or not at all, and prove it. Raises ObjectStoreError.

        digest: its SHA-256 in hexadecimal; what is read here and differs is refused, too.
        """
        path = self._path(name)
        with self._told(name):
            if self._protocol in _WHOLE_AT_ONCE:
                self._system.put_file(str(source), path, **self._checksum(source, digest))
            else:
                partial = f"{path}.partial"
                self._system.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._system.put_file(str(source), partial)
                if self.folder is None:
                    self._system.mv(partial, path)
                else:
                    put_in_place(Path(partial), Path(path))
        if not self.proves(name, digest, source.stat().st_size):
            raise ObjectStoreError(
                self.of(name),
                f"what stands there after it was sent is not {source}",
                f"Check {source.name} (`barograph archive verify`) and the store, and try again",
            )

    def write(self, content: bytes, name: str) -> None:
        """Put a small object there, as `put` does."""
        with NamedTemporaryFile(prefix="barograph-") as file:
            file.write(content)
            file.flush()
            self.put(Path(file.name), name, sha256(content).hexdigest())

    def proves(self, name: str, digest: str, size: int) -> bool:
        """Whether an object has this SHA-256, in hexadecimal, and so many bytes.

        By what S3 computed when it took the object, where it kept that; else it is read back.
        """
        if self._protocol in _S3:
            bucket, _, key = self._path(name).partition("/")
            with self._told(name):
                head = self._system.call_s3(
                    "head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED"
                )
            if head["ContentLength"] != size:
                return False
            # Of parts S3 keeps a hash of hashes, which ends in -n and says nothing here.
            if (kept := head.get("ChecksumSHA256", "")) and "-" not in kept:
                return bool(kept == _base64(digest))
        hashed, length = sha256(), 0
        for chunk in self._chunks(name):
            hashed.update(chunk)
            length += len(chunk)
        return (hashed.hexdigest(), length) == (digest, size)

    def fetch(self, name: str, target: Path) -> str:
        """Write an object to a file, which is replaced; returns its SHA-256, in hexadecimal.

        Raises ObjectStoreError, DiskFullError, and BadInputError where the file cannot be written.
        """
        hashed = sha256()
        with declared(target.parent):
            file = target.open("wb")
        with file:
            for chunk in self._chunks(name):
                hashed.update(chunk)
                with declared(target.parent, len(chunk)):
                    file.write(chunk)
        return hashed.hexdigest()

    def _chunks(self, name: str) -> Iterator[bytes]:
        with self._told(name):
            object_ = self._system.open(self._path(name), "rb", block_size=_CHUNK_BYTES)
        with object_:
            while True:
                with self._told(name):
                    chunk = object_.read(_CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _checksum(self, source: Path, digest: str) -> Mapping[str, str | int]:
        """What S3 holds a file against before it takes it; nothing of one that goes in parts."""
        if self._protocol not in _S3:
            return {}
        if source.stat().st_size >= 2 * _PART_BYTES:
            return {"chunksize": _PART_BYTES}
        checksum = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _base64(digest)}
        return {"chunksize": _PART_BYTES, **checksum}

    @contextmanager
    def _told(self, name: str = "") -> Iterator[None]:
        """Translate what fsspec and its clients raise into ObjectStoreError."""
        address = self.of(name) if name else self.address
        ours = self.folder is not None
        try:
            yield
        except FileNotFoundError as error:
            why, cure = f"it is not there ({_sentence(error)})", "Make it, or correct the address"
            if self._protocol in _S3 and not name:
                why, cure = "there is no such bucket", "Make the bucket, or correct the address"
            raise ObjectStoreError(address, why, cure) from error
        except PermissionError as error:
            rights = "that it may list, read and write there"
            raise ObjectStoreError(
                address,
                f"it refuses us ({_sentence(error)})",
                "Check its owner and rights" if ours else f"Check {KEY}, {SECRET} and {rights}",
            ) from error
        except NotImplementedError as error:
            why = f"{self._protocol}:// cannot be written, or not listed"
            raise ObjectStoreError(address, why, "Name a bucket or a folder") from error
        except (OSError, *self._failures) as error:
            cure = "Check its disk" if ours else "Check the address and AWS_ENDPOINT_URL"
            why = f"it cannot be used ({_sentence(error)})"
            raise ObjectStoreError(address, why, f"{cure}. {_AGAIN}") from error


def open_store(address: str, environment: Mapping[str, str] | None = None) -> ObjectStore:
    """The store at an address that fsspec understands: `s3://bucket/prefix`, `file:///x`, a path.

    Nothing is asked yet. Raises MissingExtraError without the extra `lake`, BadInputError for an
    address of no use, ObjectStoreError where the environment does not say who asks.
    """
    given = urlsplit(address) if "://" in address else urlsplit("")
    if not address or "::" in address or given.password or given.query or given.fragment:
        raise BadInputError(
            repr(given._replace(netloc=given.hostname or "", query="").geturl() or address),
            "it is no address of a bucket or folder",
            "Give one as s3://bucket/prefix, file:///srv/history or a path; secrets come from the "
            "environment",
        )
    try:
        import fsspec  # noqa: PLC0415 - of the extra
    except ModuleNotFoundError as error:
        raise MissingExtraError(address, EXTRA) from error
    options: dict[str, Any] = {}
    failures: tuple[type[BaseException], ...] = ()
    if given.scheme in _S3:
        if not given.netloc:
            cure = "Give one as s3://bucket/prefix"
            raise BadInputError(address, "it names no bucket", cure)
        failures = _failures(address)

        def refused(why: str, cure: str) -> ObjectStoreError:
            return ObjectStoreError(address, why, cure)

        options = _options(access_in(os.environ if environment is None else environment, refused))
    try:
        system, root = fsspec.core.url_to_fs(address, skip_instance_cache=True, **options)
    except (ValueError, ImportError) as error:
        raise BadInputError(
            address, f"nothing here reaches it ({error})", "Give s3://bucket/prefix or a path"
        ) from error
    root = root.rstrip("/")
    if not root and system.protocol[0] in _LOCAL:
        raise BadInputError(address, "it is the whole disk", "Name a folder on it")
    return ObjectStore(system.unstrip_protocol(root), system, root, failures)


def _failures(address: str) -> tuple[type[BaseException], ...]:
    """What the client of S3 raises that is no OSError."""
    try:
        import aiohttp  # noqa: PLC0415 - of the extra
        import s3fs  # noqa: F401, PLC0415 - fsspec says less where it is missing
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - of the extra
    except ModuleNotFoundError as error:
        raise MissingExtraError(address, EXTRA) from error
    return (BotoCoreError, ClientError, aiohttp.ClientError)


def _options(access: S3Access) -> dict[str, Any]:
    """How s3fs reaches S3: by path, which every kind of it understands, and never from a cache."""
    client: dict[str, Any] = {"region_name": access.region}
    if access.ca_file:
        client["verify"] = access.ca_file
    return {
        "key": access.key,
        "secret": access.secret,
        "token": access.session or None,
        "endpoint_url": access.endpoint,
        "client_kwargs": client,
        "config_kwargs": {
            "s3": {"addressing_style": "path"},
            "connect_timeout": _CONNECT_S,
            "read_timeout": _READ_S,
            "retries": {"max_attempts": 2},
        },
        "use_listings_cache": False,
    }


def _base64(digest: str) -> str:
    return base64.b64encode(bytes.fromhex(digest)).decode()


def _sentence(error: BaseException) -> str:
    """What an error says, on one line and not for long."""
    text = (error.strerror or "" if isinstance(error, OSError) else "") or str(error)
    return " ".join(text.split())[:200].rstrip(".") or type(error).__name__
