"""What all handles of one file in one process share."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


class ByFile(Generic[T]):
    """One `T` for each file, from its first user to its last. Thread-safe.

    make: makes it for a file that is there. end: called with it after its last user.
    """

    def __init__(self, make: Callable[[Path], T], end: Callable[[T], None]) -> None:
        self._make, self._end = make, end
        self._guard = threading.Lock()
        self._shared: dict[tuple[int, int], tuple[T, int]] = {}
        """With its number of users, by device and inode of the file."""

    def take(self, path: Path) -> T:
        """Return the file's one, to be given to `release`. Raises OSError where it is not there."""
        stat = path.stat()
        key = stat.st_dev, stat.st_ino
        with self._guard:
            value, users = self._shared.get(key) or (self._make(path), 0)
            self._shared[key] = value, users + 1
            return value

    def release(self, value: T) -> None:
        """Give back what `take` returned."""
        with self._guard:
            [(key, users)] = [
                (key, users) for key, (each, users) in self._shared.items() if each is value
            ]
            if users > 1:
                self._shared[key] = value, users - 1
                return
            del self._shared[key]
        self._end(value)
