"""
A detector of another runtime that answers frame by frame, for benchmarks in turns: uint8 frame in, boxes out, each runtime with
the preprocessing and postprocessing that it is best at.

    python serve.py openvino-int8|openvino-float|mnn FRAMES.bin SIDE THREADS MODEL.onnx [CALIBRATION.bin]

FRAMES.bin holds letterboxed RGB pictures, SIDE x SIDE x 3 bytes each. Each line `N` on stdin detects on frame N and answers with
`milliseconds boxes`; the first line out says the versions, or `absent: why`.
"""

import os
import sys
import time

import numpy as np


def frames_of(path, side):
    return np.fromfile(path, dtype=np.uint8).reshape(-1, side, side, 3)


def boxes_of(output, conf=0.25, iou=0.7, most=300):
    """Non-maximum suppression of [4 + classes, anchors], per class, as Ultralytics does."""
    scores = output[4:]
    best = scores.max(0)
    found = np.nonzero(best > conf)[0]
    if found.size == 0:
        return []
    best, classes = best[found], scores[:, found].argmax(0)
    x, y, w, h = output[:4, found]
    order = np.argsort(-best)
    shift = classes * 7680.0
    x1, y1, x2, y2 = x - w / 2 + shift, y - h / 2 + shift, x + w / 2 + shift, y + h / 2 + shift
    area, kept = w * h, []
    while order.size and len(kept) < most:
        first, rest = order[0], order[1:]
        kept.append(first)
        across = np.minimum(x2[first], x2[rest]) - np.maximum(x1[first], x1[rest])
        down = np.minimum(y2[first], y2[rest]) - np.maximum(y1[first], y1[rest])
        common = np.maximum(across, 0) * np.maximum(down, 0)
        order = rest[common / (area[first] + area[rest] - common) <= iou]
    return kept


def openvino(model, side, threads, calibration):
    import openvino as ov

    core = ov.Core()
    read = core.read_model(model)
    read.reshape([1, 3, side, side])
    if calibration is not None:
        import nncf

        pictures = frames_of(calibration, side)
        data = nncf.Dataset(pictures, lambda each: each.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        scope = nncf.IgnoredScope(types=["Multiply", "Subtract", "Sigmoid"], patterns=[".*/model.22/.*"], validate=False)
        read = nncf.quantize(
            read, data, preset=nncf.QuantizationPreset.MIXED, subset_size=len(pictures), ignored_scope=scope
        )
    prepared = ov.preprocess.PrePostProcessor(read)
    prepared.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    prepared.input().preprocess().convert_element_type(ov.Type.f32).scale(255.0)
    prepared.input().model().set_layout(ov.Layout("NCHW"))
    compiled = core.compile_model(
        prepared.build(), "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    )
    request = compiled.create_infer_request()

    def detect(frame):
        request.infer({0: ov.Tensor(frame[None], shared_memory=True)}, share_inputs=True, share_outputs=True)
        return boxes_of(request.get_output_tensor(0).data[0])

    return detect, f"OpenVINO {ov.__version__.split('-')[0]}"


def mnn(model, side, threads, _):
    import subprocess
    import tempfile

    import MNN

    folder = tempfile.mkdtemp()
    made = os.path.join(folder, "model.mnn")
    subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "mnnconvert"), "-f", "ONNX", "--modelFile", model, "--MNNModel", made, "--bizCode", "x"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    interpreter = MNN.Interpreter(made)
    session = interpreter.createSession({"backend": "CPU", "numThread": threads})
    tensor = interpreter.getSessionInput(session)
    interpreter.resizeTensor(tensor, (1, 3, side, side))
    interpreter.resizeSession(session)

    def detect(frame):
        data = np.ascontiguousarray(frame.transpose(2, 0, 1)[None].astype(np.float32) * np.float32(1 / 255))
        tensor.copyFrom(MNN.Tensor((1, 3, side, side), MNN.Halide_Type_Float, data, MNN.Tensor_DimensionType_Caffe))
        interpreter.runSession(session)
        output = interpreter.getSessionOutput(session)
        shape = output.getShape()
        host = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), MNN.Tensor_DimensionType_Caffe)
        output.copyToHostTensor(host)
        return boxes_of(np.array(host.getData(), dtype=np.float32).reshape(shape)[0])

    return detect, f"MNN {getattr(MNN, '__version__', '')}".strip()


def main():
    # Libraries print what they like; only answers go to the caller.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    kind, frames_path, side, threads, model, *rest = sys.argv[1:]
    side, threads = int(side), int(threads)
    frames = frames_of(frames_path, side)
    try:
        if kind == "mnn":
            detect, version = mnn(model, side, threads, None)
        else:
            detect, version = openvino(model, side, threads, rest[0] if kind == "openvino-int8" else None)
        for _ in range(3):
            detect(frames[0])
    except Exception as problem:  # The benchmark goes on with the others.
        print("absent:", " ".join(str(problem).split())[:200], file=answers)
        return
    print(version, file=answers)
    for line in sys.stdin:
        frame = frames[int(line) % len(frames)]
        start = time.perf_counter()
        boxes = detect(frame)
        print(f"{(time.perf_counter() - start) * 1000:.4f} {len(boxes)}", file=answers)


main()
