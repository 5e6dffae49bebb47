#!/bin/sh
# onnxruntime 1.32.0 (CPU, x86-64): a float16 graph is computed in float32 from its first to its last node.
# Where the processor has no float16 kernel for an operator the runtime puts Casts around the nodes, and takes those between two such
# nodes out again, also with ORT_DISABLE_ALL. A value between them is never rounded to 16 bits: what overflows in float16 (65504)
# stays finite, and what is rounded away stays. So a float16 model that is measured on a CPU shows the accuracy of float32 with
# rounded weights; whether it overflows on a GPU, which computes in 16 bits, is not seen.
# Output seen:
#   onnxruntime 1.32.0, x * x / 1000 in float16 with x = 300
#   in float16: inf
#   ORT_DISABLE_ALL: 90.0, runs Cast Cast Mul Div Cast
#   ORT_ENABLE_ALL: 90.0, runs Cast Cast Mul Div Cast
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0
cat > try.py << 'END'
import sys
import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper as h, numpy_helper as n

nodes = [h.make_node("Mul", ["x", "x"], ["square"]), h.make_node("Div", ["square", "thousand"], ["y"])]
value = lambda name: h.make_tensor_value_info(name, TensorProto.FLOAT16, [1])
graph = h.make_graph(nodes, "g", [value("x")], [value("y")], [n.from_array(np.array([1000], np.float16), "thousand")])
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9).SerializeToString()
x = np.array([300], np.float16)
print(f"onnxruntime {ort.__version__}, x * x / 1000 in float16 with x = 300")
with np.errstate(over="ignore"):
    print(f"in float16: {(x * x / np.float16(1000))[0]}")
answers = []
for level in ["ORT_DISABLE_ALL", "ORT_ENABLE_ALL"]:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    options.optimized_model_filepath = "seen.onnx"
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    answers.append(session.run(None, {"x": x})[0][0])
    print(f"{level}: {answers[-1]}, runs {' '.join(node.op_type for node in onnx.load('seen.onnx').graph.node)}")
sys.exit(0 if all(np.isfinite(answer) for answer in answers) else 1)
END
venv/bin/python try.py
