"""Espalier against ONNX Runtime's and NNCF's post-training quantization: same model, same images,
same micro-batches, every tool in processes of its own. Prints a table and writes peers.json."""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import default_data
import images
import judge
import measured_process
import onnx
import yaml

HERE = pathlib.Path(__file__).resolve().parent
OURS = "espalier"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, help="float ONNX file with one image input")
    parser.add_argument("--data", type=pathlib.Path, help="DATA.yaml with Train and Eval splits")
    parser.add_argument("--samples", type=int, default=512, help="calibration images")
    parser.add_argument("--judging", type=int, default=0, help="judging images (0: all)")
    parser.add_argument("--micro-batch", type=int, default=8)
    parser.add_argument(
        "--repeat", type=int, default=3, help="runs of every tool; the median counts"
    )
    parser.add_argument("--espalier", default="bin/espalier")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("peers.json"))
    arguments = parser.parse_args()
    if (arguments.model is None) != (arguments.data is None):
        parser.error("--model and --data belong together")
    return arguments


def calibration_data(source, evaluation, samples, folder):
    """A DATA.yaml whose training split is exactly the calibration images, for all tools."""
    listing = folder / "calibration.txt"
    # The root is the file system's, whatever the data file's was.
    listing.write_text(
        "".join(
            f"{path.resolve().relative_to('/')} {label}\n"
            for path, label in zip(source.files[:samples], source.labels)
        ),
        encoding="utf-8",
    )
    train = json.loads(json.dumps(source.block))
    train["dataset"]["image_root"] = "/"
    train["dataset"]["cls_label_path"] = str(listing)
    evaluated = json.loads(json.dumps(evaluation.block))
    evaluated["dataset"]["image_root"] = str(evaluation.root.resolve())
    evaluated["dataset"]["cls_label_path"] = str(evaluation.listing.resolve())
    data = folder / "data.yaml"
    data.write_text(
        yaml.safe_dump({"DataLoader": {"Train": train, "Eval": evaluated}}), encoding="utf-8"
    )
    return data


def tool_commands(arguments, model, data, input_name, folder):
    """Name -> (command, file that it writes)."""
    common = [
        "--model",
        str(model),
        "--data",
        str(data),
        "--input",
        input_name,
        "--samples",
        str(arguments.samples),
        "--micro-batch",
        str(arguments.micro_batch),
    ]
    commands = {
        OURS: (
            [
                arguments.espalier,
                "quantize",
                str(model),
                "--data",
                str(data),
                "-o",
                str(folder / OURS),
                "--samples",
                str(arguments.samples),
                "--micro-batch",
                str(arguments.micro_batch),
                "--verify-samples",
                "64",
                "--latency-rounds",
                "0",
                "-q",
            ],
            folder / OURS / "model.onnx",
        )
    }
    for method in ("MinMax", "Percentile", "Entropy"):
        output = folder / f"onnxruntime_{method}.onnx"
        commands[f"onnxruntime {method}"] = (
            [
                sys.executable,
                str(HERE / "quantize_onnxruntime.py"),
                *common,
                "--method",
                method,
                "--output",
                str(output),
            ],
            output,
        )
    output = folder / "nncf.onnx"
    commands["nncf"] = (
        [sys.executable, str(HERE / "quantize_nncf.py"), *common, "--output", str(output)],
        output,
    )
    return commands


def run_tools(commands, repeat, folder):
    """Tools take turns, so that a drift of the machine hits all alike."""
    costs = {name: [] for name in commands}
    for _ in range(repeat):
        for name, (command, output) in commands.items():
            cost = measured_process.run(command, folder / (name.replace(" ", "_") + ".log"))
            if cost.code not in (0, 1) or not output.exists():
                print(f"{name} failed: {cost.log}", file=sys.stderr)
                continue
            costs[name].append(cost)
    return {name: runs for name, runs in costs.items() if runs}


def time_files(espalier, files):
    """Median milliseconds, batch 1, one thread, all files interleaved in one process."""
    result = subprocess.run(
        [espalier, "bench", *map(str, files), "--threads", "1", "--json", "-q"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(result.stdout.strip().split("\n")[-1])["rows"]
    return {(row["engine"], row["model"]): row["median_ms"] for row in rows}


def judge_all(files, model, evaluation, count):
    """(tool, engine) -> share of predictions equal to the float model's, and top-1."""
    facts = {}
    for engine in judge.ENGINES:
        expected = judge.predictions(engine, model, evaluation, count)
        for name, path in files.items():
            found = judge.predictions(engine, path, evaluation, count)
            facts[name, engine.name] = {
                "agreement": float((found == expected).mean()),
                "top1": float((found == evaluation.labels[:count]).mean()),
            }
    return facts


def proof_seconds(file):
    """What of our last run was spent on proving the file in both engines; no peer does that."""
    report = json.loads((file.parent / "report.json").read_text(encoding="utf-8"))
    return report["seconds"]["verify"]


def table(rows):
    heads = [f"{engine.name + ' agree':>18} {'top-1':>7} {'ms':>8}" for engine in judge.ENGINES]
    print(f"{'tool':24} {'seconds':>8} {'peak MiB':>9}  " + "  ".join(heads))
    for row in rows:
        facts = [row[engine.name] for engine in judge.ENGINES]
        cells = [
            f"{100 * fact['agreement']:17.2f}% {100 * fact['top1']:6.2f}% {fact['ms']:8.3f}"
            for fact in facts
        ]
        print(f"{row['tool']:24} {row['seconds']:8.2f} {row['peak_mib']:9.0f}  " + "  ".join(cells))
        if "proof_seconds" in row:
            print(f"  {'of it proof':22} {row['proof_seconds']:8.2f}")


def verdict(rows):
    """Where a peer is ahead of us, in words."""
    ours = next(row for row in rows if row["tool"] == OURS)
    behind = []
    for row in rows:
        if row is ours:
            continue
        for key in ("seconds", "peak_mib"):
            if row[key] < ours[key]:
                behind.append(f"{row['tool']} needs less {key}: {row[key]:.2f} < {ours[key]:.2f}")
        for engine in judge.ENGINES:
            if row[engine.name]["agreement"] > ours[engine.name]["agreement"]:
                behind.append(f"{row['tool']} agrees more often in {engine.name}")
            if row[engine.name]["ms"] < 0.97 * ours[engine.name]["ms"]:
                behind.append(f"the file of {row['tool']} is faster in {engine.name}")
    return behind


def main():
    arguments = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="espalier-peers-") as name:
        folder = pathlib.Path(name)
        model, data = arguments.model, arguments.data
        if model is None:
            model, data = default_data.make(folder / "default", arguments.espalier)
        source, evaluation = images.Images(data, "train"), images.Images(data, "eval")
        arguments.samples = min(arguments.samples, len(source.files))
        count = min(arguments.judging or len(evaluation.files), len(evaluation.files))
        calibration = calibration_data(source, evaluation, arguments.samples, folder)
        input_name = onnx.load(model).graph.input[0].name
        commands = tool_commands(arguments, model, calibration, input_name, folder)
        costs = run_tools(commands, arguments.repeat, folder)
        if OURS not in costs:
            return 1
        files = {tool: commands[tool][1] for tool in costs}
        facts = judge_all(files, model, evaluation, count)
        times = time_files(arguments.espalier, [model, *files.values()])
        rows = []
        for tool, runs in costs.items():
            row = {
                "tool": tool,
                "seconds": statistics.median(run.seconds for run in runs),
                "peak_mib": max(run.peak_mib for run in runs),
            }
            for engine in judge.ENGINES:
                row[engine.name] = {
                    **facts[tool, engine.name],
                    "ms": times[engine.name, str(files[tool])],
                }
            if tool == OURS:
                row["proof_seconds"] = proof_seconds(files[tool])
            rows.append(row)
    table(rows)
    behind = verdict(rows)
    print("ahead of every peer in every column" if not behind else "\n".join(behind))
    arguments.output.write_text(
        json.dumps({"rows": rows, "behind": behind}, indent=2) + "\n", encoding="utf-8"
    )
    print(f"written: {arguments.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
