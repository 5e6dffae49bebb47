"""Tracks the detections of sequences with a tracker of Ultralytics: `track.py bytetrack|botsort < sequences.json > tracks.json`.

Input: [[[[x1, y1, x2, y2, score, class], ...] of each frame], ...]; output: {"tracks": the same with [x1, y1, x2, y2, id],
"seconds": time in update() alone}. Camera motion compensation is off.
"""
import json
import sys
import time
from types import SimpleNamespace

import numpy as np
from ultralytics.engine.results import Boxes
from ultralytics.trackers.bot_sort import BOTSORT
from ultralytics.trackers.byte_tracker import BYTETracker
from ultralytics.utils import YAML
from ultralytics.utils.checks import check_yaml

name = sys.argv[1]
args = SimpleNamespace(**{**YAML.load(check_yaml(f"{name}.yaml")), "gmc_method": "none", "with_reid": False})
tracker_class = {"bytetrack": BYTETracker, "botsort": BOTSORT}[name]
picture = np.zeros((720, 1280, 3), np.uint8)
result, seconds = [], 0.0
for frames in json.load(sys.stdin):
    tracker = tracker_class(args)
    tracker.reset_id()
    tracks = []
    for frame in frames:
        boxes = Boxes(np.array(frame, dtype=np.float32).reshape(-1, 6), (720, 1280))
        start = time.perf_counter()
        rows = tracker.update(boxes, picture)
        seconds += time.perf_counter() - start
        # The boxes of the detections, as for every tracker compared here: the last column says which.
        tracks.append([[*map(float, frame[int(row[-1])][:4]), int(row[4])] for row in rows])
    result.append(tracks)
json.dump({"tracks": result, "seconds": seconds}, sys.stdout)
