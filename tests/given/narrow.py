"""Names of the AVX2 and AVX-512 loops of numpy, which `make test-narrow` turns off."""

import numpy as np

FAMILIES = ("AVX2", "AVX512", "X86_V3", "X86_V4")
"""As numpy spells them; from 2.4 on it counts AVX2 to X86_V3, and AVX-512 to X86_V4 as well."""


def narrowed() -> list[str]:
    """What numpy dispatches, this machine has and `NPY_DISABLE_CPU_FEATURES` is to turn off.

    A feature that is absent would be a warning.
    """
    of_numpy = np._core._multiarray_umath
    has = of_numpy.__cpu_features__
    return [
        name for name in of_numpy.__cpu_dispatch__ if name.startswith(FAMILIES) and has.get(name)
    ]


if __name__ == "__main__":
    print(*narrowed())
