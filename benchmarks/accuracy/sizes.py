#!/usr/bin/env python3
"""Bytes of INT8 files against the float file with BatchNormalization folded, for fresh weights:
what is stored does not depend on their values."""

import argparse
import json
import pathlib
import subprocess
import tempfile

NETWORKS = ("ResNet20", "MobileNetV1", "MobileNetV2", "ResNet18", "ResNet34", "ResNet50")
GOAL = 0.28


def recipe(network, classes):
    data = {
        "dataset": {"name": "Synthetic", "size": 32, "channels": 3, "classes": 4, "count": 16,
                    "seed": 1, "transform_ops": [{"ToCHWImage": None}]},
        "sampler": {"batch_size": 8},
    }
    return {
        "version": 1,
        "model": {"zoo": network, "classes": classes, "image_size": 32},
        "data": {"train": data, "eval": data, "calibration": {"samples": 8}},
        "stages": [{"quantize": {"bias_correction": False, "rounding": False,
                                 "verify": {"latency_rounds": 0, "engines": []}}}],
    }


def measure(program, network, classes, folder):
    """Bytes of the folded float file and of the INT8 file."""
    file = folder / f"{network}-{classes}.json"
    file.write_text(json.dumps(recipe(network, classes)), encoding="utf-8")
    run = folder / file.stem
    # 1: a check failed, as those of accuracy may with fresh weights; the files are there.
    code = subprocess.run([program, "train", "-c", file, "-o", run, "--quiet"], check=False,
                          stdout=subprocess.DEVNULL).returncode
    if code not in (0, 1):
        raise SystemExit(f"{network}: exit code {code}")
    folded = folder / f"{file.stem}.onnx"
    subprocess.run([program, "export", run / "float.onnx", "-o", folded, "--form", "folded",
                    "--quiet"], check=True)
    return folded.stat().st_size, (run / "model.onnx").stat().st_size


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--espalier", default="bin/espalier")
    arguments = parser.parse_args()
    program = pathlib.Path(arguments.espalier).resolve()
    print("| network | classes | float, folded | INT8 | ratio | goal |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS:
            for classes in (10, 1000):
                whole, small = measure(program, network, classes, pathlib.Path(folder))
                ratio = small / whole
                print(f"| {network} | {classes} | {whole} | {small} | {ratio:.3f} | "
                      f"{'reached' if ratio <= GOAL else 'missed'} |", flush=True)


if __name__ == "__main__":
    main()
