#!/usr/bin/env python3
"""Writes tests/data/node_tests.tar.xz: ONNX's node tests in the operator forms of opset 18 to 23.

Run it in a Python environment with the pinned versions: pip install onnx==1.23.2 numpy==2.4.6
The cases come from onnx.backend.test.case.node, which computes them with numpy. Kept are those of
operators that docs/operators.md lists. A case made for an opset after 23 is restated at 23 when the
checker accepts it there: most of those opsets only added element types.
"""
import io
import random
import re
import sys
import tarfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case import node as node_cases

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = 18, 23
LARGEST_CASE = 120_000  # bytes


def supported_operators():
    page = (ROOT / "docs" / "operators.md").read_text()
    return set(re.findall(r"^\| (\w+) \| ONNX \|", page, re.MULTILINE))


def opset_of(model):
    return next((o for o in model.opset_import if o.domain in ("", "ai.onnx")), None)


def restate(model):
    """True when the model is, or can be written as, one of the wanted opsets."""
    opset = opset_of(model)
    if opset is None or opset.version < OLDEST:
        return False
    if opset.version > NEWEST:
        opset.version = NEWEST
        model.ir_version = min(model.ir_version, 10)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception:
        return False
    return True


def to_proto(value):
    if isinstance(value, onnx.TensorProto):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        return numpy_helper.from_array(np.asarray(value))
    return None


def files_of(case):
    inputs, outputs = case.data_sets[0]
    files = {"model.onnx": case.model.SerializeToString(deterministic=True)}
    for kind, values in (("input", inputs), ("output", outputs)):
        for index, value in enumerate(values):
            proto = to_proto(value)
            if proto is None:
                return None
            name = f"test_data_set_0/{kind}_{index}.pb"
            files[name] = proto.SerializeToString(deterministic=True)
    return files


def wanted(case, operators):
    nodes = case.model.graph.node
    return all(n.op_type in operators and n.domain in ("", "ai.onnx") for n in nodes)


def main():
    np.random.seed(0)
    random.seed(0)
    operators = supported_operators()
    target = ROOT / "tests" / "data" / "node_tests.tar.xz"
    count = 0
    with tarfile.open(target, "w:xz", preset=9) as archive:
        for case in sorted(node_cases.collect_testcases(), key=lambda c: c.name):
            if not wanted(case, operators) or not restate(case.model):
                continue
            files = files_of(case)
            if files is None or sum(map(len, files.values())) > LARGEST_CASE:
                continue
            count += 1
            for name, content in sorted(files.items()):
                entry = tarfile.TarInfo(f"{case.name}/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    print(f"{count} cases, {target.stat().st_size} bytes, {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
