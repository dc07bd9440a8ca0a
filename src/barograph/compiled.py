"""The decorator of every kernel: compiled by Numba at its first call, and kept on disk."""

from collections.abc import Callable
from typing import TypeVar

import numba

from barograph import environment

_Kernel = TypeVar("_Kernel", bound=Callable[..., object])

# Numba has read its environment already, and reads it again with the next change of it.
numba.config.CACHE_DIR = environment.for_numba()


def compiled(kernel: _Kernel) -> _Kernel:
    """The kernel as machine code, for each combination of types that it is called with."""
    return numba.njit(cache=True)(kernel)  # type: ignore[no-any-return]
