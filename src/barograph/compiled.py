"""The decorator of every kernel: compiled by Numba at its first call, and kept on disk."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import caching

from barograph import environment

_Kernel = TypeVar("_Kernel", bound=Callable[..., object])

# Numba has read its environment already, and reads it again with the next change of it.
numba.config.CACHE_DIR = environment.for_numba()
_SHIPPED = environment.shipped_kernels()


def compiled(kernel: _Kernel) -> _Kernel:
    """The kernel as machine code, for each combination of types that it is called with."""
    return _kept(kernel, numba.njit(kernel))


def compiled_into_callers(kernel: _Kernel) -> _Kernel:
    """As `compiled`, and inlined into every kernel that calls it.

    For a kernel that several call with arrays of different fixed lengths: where it is inlined,
    lengths and other constants of the caller are known, so its divisions become multiplications.
    """
    return _kept(kernel, numba.njit(kernel, forceinline=True))


def _kept(kernel: _Kernel, dispatcher: Any) -> _Kernel:  # noqa: ANN401 - Numba's
    """The dispatcher with a cache of our own."""
    if dispatcher is not kernel:  # as it is with NUMBA_DISABLE_JIT
        dispatcher._cache = _KernelCache(kernel)  # noqa: SLF001 - where enable_caching puts its own
    return dispatcher  # type: ignore[no-any-return]


class _Locator(caching.UserProvidedCacheLocator):  # type: ignore[misc]  # of Any
    """In Numba's folder, and fresh while the text of the source is the same.

    Numba goes by the time of the file, which a copy of the installation need not keep.
    """

    def get_source_stamp(self) -> str:
        return _sha256(self._py_file)


class _Kept(caching.CompileResultCacheImpl):  # type: ignore[misc]  # of Any
    _locator_classes = (_Locator, *caching.CompileResultCacheImpl._locator_classes)  # noqa: SLF001


class _KernelCache(caching.FunctionCache):  # type: ignore[misc]  # of Any
    """Numba's cache of one function, which also reads what was compiled with the installation."""

    _impl_class = _Kept

    def __init__(self, kernel: Callable[..., object]) -> None:
        super().__init__(kernel)
        folder = Path(_SHIPPED, Path(self._cache_path).name)
        self._shipped = caching.IndexDataCacheFile(
            str(folder), self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def _load_overload(self, sig: object, target_context: Any) -> object:  # noqa: ANN401 - Numba's
        overload = super()._load_overload(sig, target_context)
        if overload is not None or not _SHIPPED:
            return overload
        reduced = self._shipped.load(self._index_key(sig, target_context.codegen()))
        return reduced and self._impl.rebuild(target_context, reduced)


@cache
def _sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
