"""Build ONNX graphs node by node."""

from typing import Any

import numpy as np

from barograph.registry.model import INPUT, MEDIAN, OUTPUT

_OPSET, _ML_OPSET, _IR = 21, 5, 10


class Graph:
    """A graph under construction; `add` and `constant` return the names of their values.

    It has one input, `features` float32 (n, width); `finished` sets the output `probability`
    float64 (n,), and `median` (n,) besides if there is one.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """Append a node and return the name of its output."""
        from onnx import helper  # noqa: PLC0415 - only who exports needs it

        name = f"value{len(self._nodes)}"
        node = helper.make_node(operator, list(inputs), [name], domain=domain, **attributes)
        self._nodes.append(node)
        return name

    def wide(self) -> str:
        """Cast the input to float64; return the value's name."""
        from onnx import TensorProto  # noqa: PLC0415 - only who exports needs it

        return self.add("Cast", INPUT, to=TensorProto.DOUBLE)

    def narrowed(self, value: str) -> str:
        """Round a value to float32, as trees compare it, and cast it back to float64."""
        from onnx import TensorProto  # noqa: PLC0415 - only who exports needs it

        narrow = self.add("Cast", value, to=TensorProto.FLOAT)
        return self.add("Cast", narrow, to=TensorProto.DOUBLE)

    def column(self, given: str, place: int) -> str:
        """Select column `place` of a value (n, f) as (n, 1); return the value's name."""
        return self.add("Gather", given, self.constant(np.array([place], np.int64)), axis=1)

    def constant(self, value: object) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper  # noqa: PLC0415 - only who exports needs it

        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def finished(self, name: str, value: str, median: str | None = None) -> bytes:
        """Serialise the model `name`, whose outputs are the values `value` and `median` (n,)."""
        from onnx import TensorProto, helper  # noqa: PLC0415 - only who exports needs it

        outputs = {OUTPUT: value} if median is None else {OUTPUT: value, MEDIAN: median}
        self._nodes += [helper.make_node("Identity", [of], [name]) for name, of in outputs.items()]
        graph = helper.make_graph(
            self._nodes,
            name,
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", self._width])],
            [helper.make_tensor_value_info(each, TensorProto.DOUBLE, ["n"]) for each in outputs],
            self._constants,
        )
        versions = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
        model = helper.make_model(
            graph, opset_imports=versions, ir_version=_IR, producer_name="barograph"
        )
        return bytes(model.SerializeToString(deterministic=True))
