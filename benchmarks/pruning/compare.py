"""ResNet-20 for CIFAR-10 at half its MACs: Espalier, Torch-Pruning, and the whole network as a
control, each trained for the same steps with the same numbers on the same drawn images. Jobs that
are done are not run again. Prints a table and writes FOLDER/results.json."""

import argparse
import json
import pathlib
import random
import subprocess
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
SHARE = 0.5
BATCH = 128
RATE = 0.01


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="ResNet-20 as ONNX file")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="DATA.yaml of CIFAR-10")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for the jobs")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--espalier", default="bin/espalier")
    return parser.parse_args()


def drawn_data(arguments, seed):
    """A DATA.yaml whose training images are those of all steps, drawn by the seed."""
    content = yaml.safe_load(arguments.data.read_text(encoding="utf-8"))
    train = content["DataLoader"]["Train"]
    lines = pathlib.Path(train["dataset"]["cls_label_path"]).read_text(encoding="utf-8").split("\n")
    lines = random.Random(seed).sample([line for line in lines if line], arguments.steps * BATCH)
    listing = arguments.output / f"images_{seed}.txt"
    listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
    train["dataset"]["cls_label_path"] = str(listing.resolve())
    train["sampler"] = {"batch_size": BATCH, "shuffle": True, "drop_last": True}
    path = arguments.output / f"data_{seed}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def recipe(arguments, data, seed, stage):
    """One epoch over the drawn images; nothing is chosen by the evaluation images."""
    blocks = yaml.safe_load(data.read_text(encoding="utf-8"))["DataLoader"]
    return {
        "version": 1,
        "seed": seed,
        "model": {"onnx": str(arguments.model.resolve())},
        "data": {"train": blocks["Train"], "eval": blocks["Eval"],
                 "calibration": {"from": "train", "samples": 512}},
        "metrics": ["top1"],
        "stages": [stage],
    }


def run(command, log):
    with open(log, "w", encoding="utf-8") as sink:
        done = subprocess.run(command, stdout=sink, stderr=subprocess.STDOUT, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"'{' '.join(map(str, command))}' failed: see {log}")


def espalier_job(arguments, data, seed, stage, folder):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder.with_suffix(".json")
    path.write_text(json.dumps(recipe(arguments, data, seed, stage)), encoding="utf-8")
    resume = ["--resume"] if (folder / "config.yaml").exists() else []
    run([arguments.espalier, "train", "-c", path, "-o", folder, "-q", *resume],
        folder.with_suffix(".log"))
    judged = subprocess.run(
        [arguments.espalier, "evaluate", folder / "model.onnx", "--data", data, "--json", "-q"],
        capture_output=True, text=True, check=True)
    result = {"trained": json.loads(judged.stdout.strip().split("\n")[-1])["metrics"]["top1"]}
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    if "pruning" in report:
        result["macs"] = report["pruning"]["shares"]["macs"]
        result["cut"] = report["pruning"]["accuracy"]["cut"]["top1"]
    return result


def control(arguments, data, seed, folder):
    training = {"epochs": 1, "schedule": {"constant": {"lr": RATE}}}
    return espalier_job(arguments, data, seed, {"train": training}, folder)


def espalier(arguments, data, seed, folder):
    training = {"epochs": 1, "schedule": {"constant": {"lr": RATE}}}
    # The layers that Torch-Pruning can cut. Training starts from the cut weights themselves.
    stage = {"prune": {"target_macs": SHARE, "align": 1, "check": True, "reconstruct": False,
                       "skip": ["*conv2*", "/conv1/Conv"], "fine_tune": training}}
    return espalier_job(arguments, data, seed, stage, folder)


def torch_pruning(arguments, data, seed, folder):
    log = folder.with_suffix(".log")
    run([sys.executable, "-B", HERE / "torch_pruning_job.py", "--model", arguments.model, "--data",
         data, "--share", str(SHARE), "--batch", str(BATCH), "--rate", str(RATE), "--seed",
         str(seed)], log)
    return json.loads(log.read_text(encoding="utf-8").strip().split("\n")[-1])


JOBS = {"control": control, "espalier": espalier, "torch-pruning": torch_pruning}


def main():
    arguments = parse_arguments()
    arguments.output.mkdir(parents=True, exist_ok=True)
    store = arguments.output / "results.json"
    results = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for seed in range(arguments.seeds):
        data = drawn_data(arguments, seed)
        for name, job in JOBS.items():
            key = f"{name}/{seed}"
            if key not in results:
                results[key] = job(arguments, data, seed, arguments.output / f"{name}_{seed}")
                store.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            fact = results[key]
            cells = [f"{fact[part]:.2f} %" if part in fact else "" for part in ("cut", "trained")]
            macs = f"{fact['macs']:.3f}" if "macs" in fact else ""
            print(f"{name:16} seed {seed}  MACs {macs:6}  cut {cells[0]:8}  trained {cells[1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
