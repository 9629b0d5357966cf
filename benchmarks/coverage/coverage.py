#!/usr/bin/env python3
"""Prunes networks of torchvision and timm, one after another, and runs the results in engines.

    coverage.py --program build/release/bin/espalier_prune_coverage --results FILE [NAME...]

Each network is exported with random weights and BatchNormalization kept, pruned to 0.7 and to 0.5
of its multiply-accumulates by L1, proven (cut against masked), written, and run in ONNX Runtime and
OpenVINO. Rows already in the results file are not done again. `--table` prints the file as
Markdown. Needs torch, torchvision, timm, onnx, onnxruntime and openvino.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import traceback

import models

SHARES = (0.7, 0.5)
ALIGNMENTS = (8, 1)
SEED = 7


class Logits:
    """Makes a function of a network that gives tensors instead of dictionaries."""

    def __new__(cls, network):
        import torch

        class Wrapped(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.network = network

            def forward(self, image):
                result = self.network(image)
                return result["out"] if isinstance(result, dict) else result

        return Wrapped().eval()


def export(network, path):
    """Writes the network as ONNX, normalizations kept, batch left open."""
    import torch
    torch.manual_seed(SEED)
    model = Logits(network.build())
    image = torch.randn(1, 3, network.side, network.side)
    torch.onnx.export(model, image, path, dynamo=False, opset_version=17,
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
                      input_names=["image"], output_names=["out"],
                      dynamic_axes={"image": {0: "N"}, "out": {0: "N"}})


def run_engines(path, side):
    """Largest difference of ONNX Runtime's and OpenVINO's outputs, relative to the largest."""
    import numpy
    import onnxruntime
    import openvino
    image = numpy.random.default_rng(SEED).standard_normal((1, 3, side, side), dtype="float32")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    first = session.run(None, {session.get_inputs()[0].name: image})[0]
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    second = openvino.Core().compile_model(path, "CPU", exact)(image)[0]
    if not numpy.isfinite(first).all():
        raise ValueError("outputs are not finite")
    return float(abs(first - second).max() / max(abs(first).max(), 1e-30))


def prune(program, model, share, folder):
    """What the program says about the first alignment that reaches the share."""
    tried = []
    for align in ALIGNMENTS:
        cut = str(pathlib.Path(folder) / "cut.onnx")
        done = subprocess.run([program, model, str(share), str(align), cut], capture_output=True,
                              text=True, timeout=1500)
        try:
            row = json.loads(done.stdout)
        except json.JSONDecodeError:
            row = {"error": f"exit {done.returncode}: {done.stderr[-300:]}"}
        row["align"] = align
        tried.append(row)
        if row.get("reached"):
            break
    return tried[-1], cut


def cover(program, network):
    """One row of the results."""
    row = {"network": network.label, "side": network.side, "shares": {}}
    with tempfile.TemporaryDirectory() as folder:
        model = str(pathlib.Path(folder) / "model.onnx")
        try:
            export(network, model)
        except Exception as error:  # the exporter raises whatever it likes
            row["error"] = f"export: {type(error).__name__}: {str(error)[:300]}"
            return row
        for share in SHARES:
            result, cut = prune(program, model, share, folder)
            if "error" not in result:
                try:
                    result["engines"] = run_engines(cut, network.side)
                except Exception as error:
                    result["error"] = f"engines: {type(error).__name__}: {str(error)[:300]}"
            row["shares"][str(share)] = result
    return row


def cell(result):
    """Achieved share, alignment, and whether everything held."""
    if "error" in result:
        return "failed: " + result["error"].splitlines()[0][:120]
    text = f"{result['remaining']:.3f}"
    if result["align"] != ALIGNMENTS[0]:
        text += f" (align {result['align']})"
    return text if result["reached"] else text + " **missed**"


def proof_cell(results):
    """The worst of the proofs and of the engines."""
    done = [result for result in results if "check" in result]
    if not done:
        return "-"
    checks = [result["check"] for result in done]
    wrong = [check["wrong_difference"] for check in checks if check["wrong_difference"] is not None]
    passed = all(check["passed"] for check in checks)
    worst64 = max(check["difference64"] for check in checks)
    worst32 = max(check["difference32"] for check in checks)
    least = f"{min(wrong):.1e}" if wrong else "-"
    return f"{'yes' if passed else '**no**'}: {worst64:.0e}, {worst32:.0e}, {least}"


def table(rows):
    """The results as Markdown."""
    lines = ["| network | groups (cuttable) | 0.7 of MACs | 0.5 of MACs | proof: float64, float32, "
             "wrong cut | engines agree | find + cut, s | vetoes |", "|" + "---|" * 8]
    for row in sorted(rows, key=lambda row: row["network"]):
        if "error" in row:
            lines.append(f"| {row['network']} | - | {row['error'][:160]} | - | - | - | - | - |")
            continue
        results = [row["shares"][str(share)] for share in SHARES]
        last = results[-1]
        engines = [result["engines"] for result in results if "engines" in result]
        kinds = sorted({veto.split("(", 1)[1].split(")", 1)[0] for veto in last.get("vetoes", {})})
        times = last.get("groups_seconds", 0) + last.get("cut_seconds", 0)
        lines.append(
            f"| {row['network']} | {last.get('groups', '-')} ({last.get('cuttable', '-')}) | "
            f"{cell(results[0])} | {cell(last)} | {proof_cell(results)} | "
            f"{max(engines, default=float('nan')):.0e} | {times:.2f} | {', '.join(kinds)} |")
    return "\n".join(lines)


def read_rows(path):
    """Rows of an earlier run."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def main():
    """Runs what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program")
    parser.add_argument("--results", type=pathlib.Path, required=True)
    parser.add_argument("--table", action="store_true")
    parser.add_argument("names", nargs="*", help="only these; otherwise all")
    arguments = parser.parse_args()
    rows = read_rows(arguments.results)
    if arguments.table:
        print(table(rows))
        return
    done = {row["network"] for row in rows}
    for network in models.all_networks():
        if network.label in done or (arguments.names and network.name not in arguments.names):
            continue
        try:
            row = cover(arguments.program, network)
        except Exception:
            traceback.print_exc()
            continue
        with arguments.results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(network.label, json.dumps(row)[:400], flush=True)


if __name__ == "__main__":
    sys.exit(main())
