"""Graphs as other programs export them: a logistic model of any shape."""

import numpy as np
from onnx import TensorProto, helper

FLOAT, DOUBLE = TensorProto.FLOAT, TensorProto.DOUBLE


def graph(*, kind=FLOAT, width=3, rows="n", columns=1, opset=17, ir=8, twice=False, odds=False):
    """P = sigmoid(10⁴ · Σ x): as (n, 1), or (n, 2) with that of the other class before it."""
    dtype = np.float32 if kind == FLOAT else np.float64

    def constant(name, values):
        values = np.asarray(values)
        of = kind if values.dtype.kind == "f" else TensorProto.INT64
        if of == kind:
            values = values.astype(dtype)
        return helper.make_tensor(name, of, values.shape, values.ravel())

    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"])]
    nodes += [] if odds else [helper.make_node("Sigmoid", ["z"], ["p"])]
    last, shape = ("z" if odds else "p"), ["n", 1]
    constants = [constant("w", np.full((width, 1), 1e4)), constant("one", np.array([[1.0]]))]
    if columns == 2:
        nodes += [
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Concat", ["q", "p"], ["both"], axis=1),
        ]
        last, shape = "both", ["n", 2]
    nodes.append(helper.make_node("ArgMax", [last], ["label"], axis=1, keepdims=0))
    outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, ["n"])]
    outputs.append(helper.make_tensor_value_info(last, kind, shape))
    if twice:
        nodes.append(helper.make_node("Neg", [last], ["other"]))
        outputs.append(helper.make_tensor_value_info("other", kind, shape))
    given = [helper.make_tensor_value_info("x", kind, [rows, width])]
    made = helper.make_graph(nodes, "theirs", given, outputs, constants)
    versions = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=versions, ir_version=ir).SerializeToString()
