#!/usr/bin/env python3
"""Runs jobs and prints the table of what is done; see ./run."""

import argparse
import fnmatch
import json
import pathlib
import signal
import subprocess
import sys
import time

import intervals
import jobs
import recipe_files

ENGINES = ("espalier", "onnxruntime", "openvino")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, help="folder of CIFAR-10")
    parser.add_argument("--resnet20", type=pathlib.Path, help="ONNX file of a trained ResNet-20")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("runs/accuracy"))
    parser.add_argument("--only", default="*", help="glob of job names")
    parser.add_argument("--epochs", type=int, default=jobs.FINE_TUNE_EPOCHS)
    parser.add_argument("--rate", type=float, default=jobs.FINE_TUNE_RATE,
                        help="first learning rate of fine-tunings and controls")
    parser.add_argument("--minutes", type=float, default=60, help="limit of one job")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--espalier", default="bin/espalier")
    parser.add_argument("--list", action="store_true", help="print the jobs and stop")
    parser.add_argument("--table", action="store_true", help="print the table and stop")
    arguments = parser.parse_args()
    if arguments.data is None and not (arguments.list or arguments.table):
        parser.error("--data is required")
    if arguments.data is not None and not (arguments.data / "train_list.txt").exists():
        parser.error(f"no train_list.txt in '{arguments.data}'")
    return arguments


def threads_of(arguments):
    return ["--threads", str(arguments.threads)] if arguments.threads else []


def train(job, folder, arguments):
    """True when the run is whole. At the limit it is asked to stop: it saves and can be resumed."""
    recipe = recipe_files.write(folder / "recipe.json", recipe_files.recipe(job, arguments))
    command = [arguments.espalier, "train", "-c", str(recipe), "-o", str(folder), "--resume",
               *threads_of(arguments)]
    with (folder / "output.txt").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            code = process.wait(60 * arguments.minutes)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGTERM)
            process.wait()
            print(f"{job.name}: stopped after {arguments.minutes} minutes; run again to go on")
            return False
    if code == 1 and (folder / "model.onnx").exists():  # a check failed: its figures say how far
        print(f"{job.name}: a check failed; see {folder / 'output.txt'}")
        return True
    if code != 0:
        raise SystemExit(f"{job.name}: exit code {code}; see {folder / 'output.txt'}")
    return True


def predict(model, engine, arguments):
    """One flag an image of the test images: right or wrong."""
    data = recipe_files.write(arguments.output / "test.json",
                              recipe_files.test_split(arguments.data.resolve()))
    command = [arguments.espalier, "predict", str(model), "--data", str(data), "--top", "1",
               "--batch", "100", "--engine", engine, "--json", "--quiet", *threads_of(arguments)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    predictions = json.loads(output.strip().splitlines()[-1])["predictions"]
    return "".join("1" if one["label"] == one["top"][0]["class"] else "0" for one in predictions)


def run(job, arguments):
    """Does what is left of a job. result.json is written last."""
    folder = arguments.output / job.name
    if (folder / "result.json").exists():
        return
    if job.start and not (arguments.output / job.start / "result.json").exists():
        print(f"{job.name}: {job.start} comes first")
        return
    folder.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    print(f"{job.name}: training", flush=True)
    if not train(job, folder, arguments):
        return
    engines = ENGINES if job.quantized else ENGINES[:1]
    flags = {engine: predict(folder / "model.onnx", engine, arguments) for engine in engines}
    result = {"name": job.name, "epochs": arguments.epochs, "rate": arguments.rate,
              "minutes": (time.monotonic() - start) / 60,
              "bytes": (folder / "model.onnx").stat().st_size, "right": flags}
    recipe_files.write(folder / "result.json", result)
    print(f"{job.name}: done in {result['minutes']:.1f} minutes", flush=True)


def flags_of(results, engine):
    return [[int(flag) for flag in result["right"][engine]] for result in results]


def table(chosen, arguments):
    """A row for each network and kind, over the seeds that both it and the control have."""
    done = {}
    for job in chosen:
        file = arguments.output / job.name / "result.json"
        if file.exists():
            result = json.loads(file.read_text(encoding="utf-8"))
            done.setdefault((job.network, job.kind), {})[job.seed] = result
    print("| network | type | seeds | top-1 | change against the control, 95 % interval | "
          "ONNX Runtime | OpenVINO |\n|---|---|---|---|---|---|---|")
    for (network, kind), results in done.items():
        control = done.get((network, "control"), {})
        seeds = sorted(set(results) & set(control)) or sorted(results)
        own = [results[seed] for seed in seeds]
        simulated = flags_of(own, "espalier")
        cells = [network, kind, ", ".join(map(str, seeds)),
                 f"{intervals.accuracy(simulated):.2f} %", "", "", ""]
        if kind not in ("control", "float") and set(seeds) <= set(control):
            change, half = intervals.paired(
                flags_of([control[seed] for seed in seeds], "espalier"), simulated)
            cells[4] = f"{change:+.2f} ({change - half:+.2f} to {change + half:+.2f})"
        for column, engine in ((5, "onnxruntime"), (6, "openvino")):
            if engine in own[0]["right"]:
                cells[column] = f"{intervals.accuracy(flags_of(own, engine)):.2f} %"
        print("| " + " | ".join(cells) + " |")


def main():
    arguments = parse_arguments()
    chosen = [job for job in jobs.all_jobs(arguments) if fnmatch.fnmatch(job.name, arguments.only)]
    if not chosen:
        raise SystemExit(f"no job is called '{arguments.only}'")
    if arguments.list:
        print("\n".join(job.name for job in chosen))
        return 0
    if not arguments.table:
        for job in chosen:
            run(job, arguments)
    table(chosen, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
