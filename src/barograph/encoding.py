"""Categories as the zeros and ones that a model adds up, in training and in its graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """Features (n, f) → what a model sees (n, m): a number stays, a category of k values becomes k.

    source: (m,) int64, the feature that each column is made of; code: (m,) float64, the code whose
    rows have 1 there, NaN for a number. A code beyond the known ones is 0 everywhere.
    """

    source: npt.NDArray[np.int64]
    code: npt.NDArray[np.float64]

    @classmethod
    def of(cls, categories: Sequence[int]) -> "Encoding":
        """The encoding of features with so many categories each, 0 for a number."""
        columns = [
            (feature, float(code) if count else np.nan)
            for feature, count in enumerate(categories)
            for code in range(count or 1)
        ]
        source, code = zip(*columns, strict=True) if columns else ((), ())
        return cls(np.array(source, np.int64), np.array(code, np.float64))

    @property
    def numbers(self) -> npt.NDArray[np.bool_]:
        """(m,) which columns are numbers."""
        return np.isnan(self.code)

    def apply(self, x: Float32) -> Float32:
        """(n, m) float32, C-contiguous, of (n, f)."""
        gathered = x[:, self.source]
        seen = np.where(self.numbers, gathered, gathered == self.code)
        return np.ascontiguousarray(seen, np.float32)

    def nodes(self, given: str, seen: str) -> tuple[list[Any], dict[str, Any]]:
        """The same as ONNX: nodes from value `given` float64 (n, f) to `seen`, and constants."""
        from onnx import TensorProto, helper  # noqa: PLC0415 - only who exports needs it

        return [
            helper.make_node("Gather", [given, "source"], ["gathered"], axis=1),
            helper.make_node("Equal", ["gathered", "code"], ["hit"]),
            helper.make_node("Cast", ["hit"], ["zero_or_one"], to=TensorProto.DOUBLE),
            helper.make_node("Where", ["numbers", "gathered", "zero_or_one"], [seen]),
        ], {"source": self.source, "code": self.code, "numbers": self.numbers}
