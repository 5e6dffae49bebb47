"""
Exports one detector in many forms, and what Ultralytics finds with each, for `npm run bench -- forms`.

    pip install ultralytics==8.4.190 onnx onnxruntime onnxslim
    python test/bench/peers/export_forms.py FOLDER --weights yolov8n.onnx --make-forms make_forms.py PICTURE...

YOLOv8n has the weights of --weights, an export that keeps the names of its parameters. The other families have random weights
of a fixed seed; their batch norms have seen the pictures, and their class scores are spread, so that boxes of many scores come out.
FOLDER gets NAME.onnx of each form and forms.json: {NAME: {"by": the form that Ultralytics was asked with, "size": ...,
"reference": [[[x1, y1, x2, y2, score, class], ...] of each picture], or null where Ultralytics finds no boxes with it}}
"""

import argparse
import ast
import contextlib
import copy
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import onnx
import torch
from onnx import numpy_helper, version_converter
from onnxruntime.transformers import float16
from ultralytics import YOLO
from ultralytics.nn.modules import Detect
from ultralytics.utils.patches import imread

OTHER_TASKS = ["seg", "pose", "obb", "cls"]

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--weights", required=True)
parser.add_argument("--make-forms", required=True)
parser.add_argument("pictures", nargs="+")
args = parser.parse_args()
os.makedirs(args.folder, exist_ok=True)
os.chdir(args.folder)
torch.set_num_threads(2)
forms = {}


def planes():
    """The pictures as a batch of planes, squeezed to squares: enough to settle statistics."""
    read = [cv2.resize(imread(path), (640, 640))[..., ::-1] for path in args.pictures]
    return torch.from_numpy(np.stack(read).transpose(0, 3, 1, 2).astype(np.float32) / 255)


def real():
    """YOLOv8n with the weights of the export."""
    detector = YOLO("yolov8n.yaml", verbose=False)
    detector.model.fuse(verbose=False)
    found = onnx.load(args.weights)
    given = {each.name: numpy_helper.to_array(each) for each in found.graph.initializer}
    parameters = dict(detector.model.named_parameters())
    missing = [name for name in parameters if name not in given and "dfl" not in name]
    if missing:
        sys.exit(f"{args.weights} lacks {missing[:3]}: expected an export that keeps the names of its parameters")
    with torch.no_grad():
        for name, parameter in parameters.items():
            if "dfl" not in name:
                parameter.copy_(torch.from_numpy(given[name].copy()))
    metadata = {entry.key: entry.value for entry in found.metadata_props}
    detector.model.names = ast.literal_eval(metadata["names"])
    return detector


def settled(name):
    """A family with random weights, whose activations and scores are spread over the pictures."""
    torch.manual_seed(0)
    detector = YOLO(f"{name}.yaml", verbose=False)
    model = detector.model
    norms = [each for each in model.modules() if isinstance(each, torch.nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    with torch.no_grad():
        model.train()
        model(planes())
        model.eval()
        head = model.model[-1]
        if isinstance(head, Detect):
            for branches in [head.cv3, getattr(head, "one2one_cv3", None)]:
                for branch in branches or []:
                    spread(branch, model)
    for norm in norms:
        norm.momentum = 0.03
    return detector


def spread(branch, model):
    """Scales the last convolution of a class branch: logits around -4, the largest near 1."""
    seen = []
    handle = branch[-1].register_forward_hook(lambda _, __, output: seen.append(output))
    model(planes())
    handle.remove()
    last, logits = branch[-1], seen[0]
    factor = 5 / (logits.max() - logits.mean())
    last.weight.mul_(factor)
    last.bias.mul_(factor).add_(-4 - factor * logits.mean())


def export(name, detector, **options):
    """One export of Ultralytics."""
    known = copy.deepcopy(detector)
    known.model.pt_path = known.ckpt_path = None
    options = {"imgsz": 640, "simplify": False, **options}
    with contextlib.redirect_stdout(sys.stderr):
        path = known.export(format="onnx", verbose=False, device="cpu", **options)
    os.replace(path, f"{name}.onnx")
    forms[name] = {"by": name, "size": options["imgsz"]}


def found_with(name, size):
    """Boxes of each picture. Where an input takes any size, Ultralytics is told to fill the whole square as with a fixed one."""
    detector = YOLO(f"{name}.onnx", task="detect")
    options = {"imgsz": size, "conf": 0.25, "iou": 0.7, "rect": False, "verbose": False, "device": "cpu"}
    return [detector.predict(path, **options)[0].boxes.data.tolist() for path in args.pictures]


def changed(name, source, change, by=None):
    """A form made of another by `change`, which gets and returns a model."""
    onnx.save(change(onnx.load(f"{source}.onnx")), f"{name}.onnx")
    forms[name] = {**forms[source], "by": by or name}


def without_metadata(model):
    del model.metadata_props[:]
    return model


detector = real()
for opset in range(9, 21):
    export(f"opset-{opset}", detector, opset=opset)
for opset in (21, 22):
    changed(f"opset-{opset}", "opset-20", lambda model, to=opset: version_converter.convert_version(model, to))
export("simplified", detector, simplify=True)
export("dynamic", detector, dynamic=True)
export("dynamic-simplified", detector, dynamic=True, simplify=True)
changed("dynamic-nometa", "dynamic", without_metadata, by="dynamic")
export("half", detector, quantize=16)
changed("half-ends", "simplified", lambda model: float16.convert_float_to_float16(model, keep_io_types=False), by="half")
export("rectangular-480x640", detector, imgsz=[480, 640])
export("rectangular-640x352", detector, imgsz=[640, 352])
export("batch-4", detector, batch=4)
export("nms", detector, nms=True)
export("nms-simplified", detector, nms=True, simplify=True)
export("nms-rectangular", detector, nms=True, imgsz=[384, 640])
export("nms-half", detector, nms=True, quantize=16)
export("nms-dynamic", detector, nms=True, dynamic=True)
export("nms-agnostic", detector, nms=True, agnostic_nms=True)
changed("nms-nometa", "nms", without_metadata, by="nms")
for family in ["yolo26n", "yolov10n"]:
    detector = settled(family)
    export(f"{family}-one-to-many", detector)
    export(f"{family}-end2end", detector, nms=False)
    export(f"{family}-end2end-simplified", detector, nms=False, simplify=True)
    export(f"{family}-end2end-dynamic", detector, nms=False, dynamic=True)
    export(f"{family}-end2end-half", detector, nms=False, quantize=16)
for family in ["yolo11n", "yolo12n", "yolov9t", "yolov5n"]:
    export(family, settled(family))
for task in OTHER_TASKS:
    export(task, settled(f"yolov8n-{task}"), imgsz=320)
    changed(f"{task}-nometa", task, without_metadata, by=task)

# The script of other tools' forms; where it lacks a package for half floats, the same conversion by another.
subprocess.run([sys.executable, args.make_forms, "opset-13.onnx", "made"], check=True, stdout=sys.stderr)
for file in sorted(os.listdir("made")):
    stem, ending = os.path.splitext(file)
    if ending == ".onnx":
        shutil.move(os.path.join("made", file), f"made-{file}")
        forms[f"made-{stem}"] = {**forms["opset-13"], "by": "opset-13"}
    else:
        shutil.move(os.path.join("made", file), file)
if os.path.exists("extdata.onnx.data"):
    # A file of weights is found by the name that the graph tells, from the folder of the graph.
    os.makedirs("made-extdata", exist_ok=True)
    shutil.move("made-extdata.onnx", "made-extdata/extdata.onnx")
    shutil.move("extdata.onnx.data", "made-extdata/extdata.onnx.data")

asked = {}
for form in forms.values():
    by = form["by"]
    if by not in asked:
        with contextlib.redirect_stdout(sys.stderr):
            asked[by] = None if by in OTHER_TASKS else found_with(by, form["size"])
    form["reference"] = asked[by]
with open("forms.json", "w") as file:
    json.dump(forms, file)
