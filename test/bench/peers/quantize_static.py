"""
Quantises a YOLOv8 export with onnxruntime.quantization.quantize_static as its documentation advises: operator set 17
(scales per channel need 13 at least), pre-processed graph, QDQ form, unsigned activations, signed weights per channel, the box decoding behind the last convolutions in float.

    pip install onnxruntime onnx numpy pillow sympy
    python test/bench/peers/quantize_static.py MODEL.onnx PICTURES OUT.onnx [--method minmax|entropy|percentile] [--images 128]

The output goes to `npm run bench:quantization -- --only peers,speed --peer OUT.onnx`.
"""

import argparse
import os
import tempfile

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image

METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "entropy": CalibrationMethod.Entropy,
    "percentile": CalibrationMethod.Percentile,
}


def letterboxed(path, side):
    """A picture as the export wants it: RGB 0..1, centred on grey 114."""
    picture = Image.open(path).convert("RGB")
    scale = min(side / picture.width, side / picture.height)
    width, height = round(picture.width * scale), round(picture.height * scale)
    canvas = Image.new("RGB", (side, side), (114, 114, 114))
    canvas.paste(picture.resize((width, height), Image.BILINEAR), ((side - width) // 2, (side - height) // 2))
    return np.asarray(canvas, dtype=np.float32).transpose(2, 0, 1)[None] / 255


class Pictures(CalibrationDataReader):
    def __init__(self, name, side, paths):
        self.feeds = ({name: letterboxed(path, side)} for path in paths)

    def get_next(self):
        return next(self.feeds, None)


def tail_nodes(model):
    """Everything that is computed from the outputs of the last convolutions: concatenation, DFL, boxes, sigmoid."""
    producers = {output: node for node in model.graph.node for output in node.output}
    found, open_values = [], [output.name for output in model.graph.output]
    seen = set()
    while open_values:
        node = producers.get(open_values.pop())
        if node is None or node.name in seen:
            continue
        if node.op_type == "Conv" and "dfl" not in node.name:
            continue
        seen.add(node.name)
        found.append(node.name)
        open_values.extend(node.input)
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("pictures")
    parser.add_argument("out")
    parser.add_argument("--method", choices=METHODS, default="minmax")
    parser.add_argument("--images", type=int, default=128)
    given = parser.parse_args()
    paths = sorted(os.path.join(given.pictures, name) for name in os.listdir(given.pictures))[: given.images]
    with tempfile.TemporaryDirectory() as folder:
        prepared = os.path.join(folder, "prepared.onnx")
        upgraded = os.path.join(folder, "upgraded.onnx")
        onnx.save(onnx.version_converter.convert_version(onnx.load(given.model), 17), upgraded)
        quant_pre_process(upgraded, prepared)
        model = onnx.load(prepared)
        value = model.graph.input[0]
        side = value.type.tensor_type.shape.dim[2].dim_value
        quantize_static(
            prepared,
            given.out,
            Pictures(value.name, side, paths),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=METHODS[given.method],
            nodes_to_exclude=tail_nodes(model),
        )


if __name__ == "__main__":
    main()
