"""Build ONNX graphs node by node."""

from typing import Any

import numpy as np

from barograph.registry.model import INPUT, MEDIAN, OUTPUT

_OPSET, _ML_OPSET, _IR = 21, 5, 10
ML = "ai.onnx.ml"
LEAST_OPSET = 13
"""The oldest version of the operators of "" in which every node of this house means the same."""


class Graph:
    """A graph under construction; `add` and `constant` return the names of their values.

    It has one input, `features` float32 (n, width); `finished` sets the output `probability`
    float64 (n,), and `median` (n,) besides if there is one.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._versions = {"": _OPSET, ML: _ML_OPSET}
        self._embedded = 0

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """Append a node and return the name of its output."""
        from onnx import helper  # noqa: PLC0415 - only who exports needs it

        name = f"value{len(self._nodes)}"
        node = helper.make_node(operator, list(inputs), [name], domain=domain, **attributes)
        self._nodes.append(node)
        return name

    def wide(self) -> str:
        """Cast the input to float64; return the value's name."""
        return self.widened(INPUT)

    def widened(self, value: str) -> str:
        """Cast a value to float64; return the name."""
        from onnx import TensorProto  # noqa: PLC0415 - only who exports needs it

        return self.add("Cast", value, to=TensorProto.DOUBLE)

    def narrowed(self, value: str) -> str:
        """Round a value to float32, as trees compare it, and cast it back to float64."""
        return self.widened(self.rounded(value))

    def rounded(self, value: str) -> str:
        """Round a value to float32; return the name."""
        from onnx import TensorProto  # noqa: PLC0415 - only who exports needs it

        return self.add("Cast", value, to=TensorProto.FLOAT)

    def column(self, given: str, place: int) -> str:
        """Select column `place` of a value (n, f) as (n, 1); return the value's name."""
        return self.add("Gather", given, self.constant(np.array([place], np.int64)), axis=1)

    def constant(self, value: object) -> str:
        """Add a constant and return its name."""
        from onnx import numpy_helper  # noqa: PLC0415 - only who exports needs it

        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def embed(self, model: Any, value: str, output: str) -> str:  # noqa: ANN401 - onnx has no types
        """Add the nodes of a whole model, and return the name of its `output` here.

        model: a `ModelProto` with one input, which gets `value`. Where an operator of it means
        something else in the versions of this graph, the graph takes the model's version: of
        "" at least `LEAST_OPSET`.
        """
        self._versions |= {
            domain: version
            for domain, version in versions_of(model).items()
            if any(
                _since(node, version) != _since(node, self._versions[domain])
                for node in model.graph.node
                if node.domain == domain
            )
        }
        prefix, graph = f"embedded{self._embedded}.", model.graph
        self._embedded += 1
        constants = {each.name for each in graph.initializer}
        given = {"": "", **{each.name: value for each in graph.input if each.name not in constants}}

        def here(names: Any) -> list[str]:  # noqa: ANN401 - onnx has no types
            return [given.get(name, f"{prefix}{name}") for name in names]

        for each in graph.initializer:
            constant = type(each)()
            constant.CopyFrom(each)
            constant.name = f"{prefix}{each.name}"
            self._constants.append(constant)
        for each in graph.node:
            node = type(each)()
            node.CopyFrom(each)
            node.input[:], node.output[:] = here(each.input), here(each.output)
            node.name = f"{prefix}{each.name}" if each.name else ""
            self._nodes.append(node)
        return here([output])[0]

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
        versions = [helper.make_opsetid(*each) for each in self._versions.items()]
        model = helper.make_model(
            graph, opset_imports=versions, ir_version=_IR, producer_name="barograph"
        )
        return bytes(model.SerializeToString(deterministic=True))


def versions_of(model: Any) -> dict[str, int]:  # noqa: ANN401 - onnx has no types
    """The version of each domain of operators that a `ModelProto` names; "ai.onnx" is ""."""
    return {
        "" if each.domain == "ai.onnx" else each.domain: each.version for each in model.opset_import
    }


def _since(node: Any, version: int) -> int:  # noqa: ANN401 - onnx has no types
    """The version in which the operator of a node got the meaning that it has in `version`."""
    from onnx import defs  # noqa: PLC0415 - only who exports needs it

    schema = defs.get_schema(node.op_type, version, node.domain)
    return -version if schema.deprecated else int(schema.since_version)
