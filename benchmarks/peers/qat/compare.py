"""Steps of quantization-aware training against the same tool's float step: Espalier and others,
each side in processes that take turns. Prints a table and writes a JSON file."""

import argparse
import importlib.metadata
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PEERS = {"torch.ao": "torch", "torchao": "torchao", "nncf": "nncf"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="build/release/bin/espalier_bench")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("qat-peers.json"))
    return parser.parse_args()


def ours(arguments, kind):
    return [arguments.program, "--child", "qat_step", "MobileNetV1", str(arguments.batch),
            str(arguments.size), kind, str(arguments.threads), str(arguments.steps)]


def theirs(arguments, tool):
    return [sys.executable, "-B", str(HERE / "step.py"), tool, "--batch", str(arguments.batch),
            "--size", str(arguments.size), "--threads", str(arguments.threads), "--steps",
            str(arguments.steps)]


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return {"failure": (done.stderr.strip().split("\n") or ["no output"])[-1]}
    return json.loads(done.stdout.strip().split("\n")[-1])


def main():
    arguments = parse_arguments()
    sides = {("Espalier", "float"): ours(arguments, "float"),
             ("Espalier", "QAT"): ours(arguments, "moving_average_abs_max"),
             ("torch", "float"): theirs(arguments, "float")}
    sides |= {(tool, "QAT"): theirs(arguments, tool) for tool in PEERS}
    rounds = [{side: run(command) for side, command in sides.items()}
              for _ in range(arguments.rounds)]
    print("| tool | float step, ms | QAT step, ms | ratio (least, most) | peak MiB (float) |")
    print("|---|---|---|---|---|")
    rows = []
    for tool in ("Espalier", *PEERS):
        base = "Espalier" if tool == "Espalier" else "torch"
        failure = next((one[tool, "QAT"]["failure"] for one in rounds
                        if "failure" in one[tool, "QAT"]), None)
        name = tool if tool == "Espalier" else f"{tool} {importlib.metadata.version(PEERS[tool])}"
        if failure:
            print(f"| {name} | failed: {failure} | | | |")
            rows.append({"tool": name, "failure": failure})
            continue
        ratios = [one[tool, "QAT"]["median_ms"] / one[base, "float"]["median_ms"] for one in rounds]

        def middle(side, key, base_of=base, tool_of=tool):
            who = base_of if side == "float" else tool_of
            return statistics.median(one[who, side][key] for one in rounds)

        row = {"tool": name, "float_ms": middle("float", "median_ms"),
               "qat_ms": middle("QAT", "median_ms"), "ratio": statistics.median(ratios),
               "least": min(ratios), "most": max(ratios), "peak_mib": middle("QAT", "peak_mib"),
               "float_peak_mib": middle("float", "peak_mib")}
        rows.append(row)
        print(f"| {name} | {row['float_ms']:.1f} | {row['qat_ms']:.1f} | {row['ratio']:.2f} "
              f"({row['least']:.2f}, {row['most']:.2f}) | {row['peak_mib']:.0f} "
              f"({row['float_peak_mib']:.0f}) |")
    arguments.output.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
