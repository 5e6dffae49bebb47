"""
Exports detectors of all YOLO families that share the head of YOLOv8, with random weights of a fixed seed, for
`npm run bench -- families`.

    pip install ultralytics onnx
    python test/bench/peers/export_families.py FOLDER [--size 160]
"""

import argparse
import os

import torch
from ultralytics import YOLO

# By the name of the export: the description that Ultralytics has of it. Its YOLOv5 is the one with the head of YOLOv8, YOLOv5u.
FAMILIES = {name: name for name in ["yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n", "yolo26n"]} | {"yolov5nu": "yolov5n"}

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--size", type=int, default=160)
args = parser.parse_args()
os.makedirs(args.folder, exist_ok=True)
for name, description in FAMILIES.items():
    torch.manual_seed(0)
    path = YOLO(f"{description}.yaml").export(format="onnx", imgsz=args.size, verbose=False)
    os.replace(path, os.path.join(args.folder, f"{name}.onnx"))
for name in ["yolov10n", "yolo26n"]:
    torch.manual_seed(0)
    path = YOLO(f"{name}.yaml").export(format="onnx", imgsz=args.size, nms=False, verbose=False)
    os.replace(path, os.path.join(args.folder, f"{name}-end2end.onnx"))
torch.manual_seed(0)
path = YOLO("yolov8n.yaml").export(format="onnx", imgsz=args.size, nms=True, verbose=False)
os.replace(path, os.path.join(args.folder, "yolov8n-nms.onnx"))
