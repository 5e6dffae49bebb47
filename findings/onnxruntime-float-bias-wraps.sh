#!/bin/sh
# onnxruntime 1.32.0 (CPU): float biases of QDQ convolutions become int32 that may not hold them, and the bias is lost.
# A convolution whose input and weight come from DequantizeLinear, whose output goes into QuantizeLinear, and whose bias is plain
# float, as files for TensorRT have it, gets its bias rounded to int32 with the scale (input scale x weight scale), from the level
# ORT_ENABLE_BASIC on. A channel whose weights are near zero has a tiny weight scale, so that the integer would be far over 2^31: it wraps,
# and the channel answers 0 instead of its bias. Such channels are common: pruning and batch norm leave them. Nothing is told, and
# without optimization the same file is right.
# Output seen:
#   onnxruntime 1.32.0, bias 1, weight scale 3e-12
#   ORT_DISABLE_ALL: 1.000
#   ORT_ENABLE_BASIC: 0.000
#   ORT_ENABLE_ALL: 0.000
set -e
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0
cat > try.py << 'END'
import sys
import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper as h, numpy_helper as n

weight_scale = 3e-12
constants = {
    "step": np.array(1 / 127, np.float32), "zero": np.array(0, np.int8),
    "weight": np.array([[[[100]]]], np.int8), "weight_scale": np.array(weight_scale, np.float32),
    "bias": np.array([1], np.float32),
}
nodes = [
    h.make_node("QuantizeLinear", ["x", "step", "zero"], ["x8"]),
    h.make_node("DequantizeLinear", ["x8", "step", "zero"], ["xd"]),
    h.make_node("DequantizeLinear", ["weight", "weight_scale", "zero"], ["wd"]),
    h.make_node("Conv", ["xd", "wd", "bias"], ["y"]),
    h.make_node("QuantizeLinear", ["y", "step", "zero"], ["y8"]),
    h.make_node("DequantizeLinear", ["y8", "step", "zero"], ["z"]),
]
value = lambda name: h.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 2, 2])
graph = h.make_graph(nodes, "g", [value("x")], [value("z")], [n.from_array(v, k) for k, v in constants.items()])
model = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=9).SerializeToString()
print(f"onnxruntime {ort.__version__}, bias 1, weight scale {weight_scale}")
answers = {}
for level in ["ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_ALL"]:
    options = ort.SessionOptions()
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, level)
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    answers[level] = float(session.run(None, {"x": np.zeros((1, 1, 2, 2), np.float32)})[0].flat[0])
    print(f"{level}: {answers[level]:.3f}")
holds = answers["ORT_DISABLE_ALL"] > 0.9 and answers["ORT_ENABLE_BASIC"] < 0.1 and answers["ORT_ENABLE_ALL"] < 0.1
sys.exit(0 if holds else 1)
END
venv/bin/python try.py
