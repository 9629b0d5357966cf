"""What the comparisons of pruning share: drawn training images, recipes, and runs of espalier whose
results are kept, so that jobs that are done are not run again."""

import json
import pathlib
import random
import subprocess

import yaml

BATCH = 128
RATE = 0.01
TRAINING = {"epochs": 1, "schedule": {"constant": {"lr": RATE}}}


def add_arguments(parser):
    parser.add_argument("--data", type=pathlib.Path, required=True, help="DATA.yaml of CIFAR-10")
    parser.add_argument("--output", type=pathlib.Path, required=True, help="folder for the jobs")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--espalier", default="bin/espalier")


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
    """Accuracies in percent on the evaluation images, and the share of MACs that stays."""
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


def sensitivities(arguments, max_loss):
    """The file of measured curves, of 2 000 training images; an interrupted measurement goes on."""
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / "sensitivity.csv"
    resume = ["--resume"] if path.exists() else []
    run([arguments.espalier, "sensitivity", arguments.model, "--data", arguments.data, "--samples",
         "2000", "--max-loss", str(max_loss), "-o", path, "-q", *resume],
        arguments.output / "sensitivity.log")
    return str(path.resolve())


def control(arguments, data, seed, folder):
    """The whole network, trained as long."""
    return espalier_job(arguments, data, seed, {"train": TRAINING}, folder)


def run_all(arguments, jobs):
    """Every job with every seed, `jobs`: name -> function(arguments, data, seed, folder)."""
    arguments.output.mkdir(parents=True, exist_ok=True)
    store = arguments.output / "results.json"
    results = json.loads(store.read_text(encoding="utf-8")) if store.exists() else {}
    for seed in range(arguments.seeds):
        data = drawn_data(arguments, seed)
        for name, job in jobs.items():
            key = f"{name}/{seed}"
            if key not in results:
                results[key] = job(arguments, data, seed, arguments.output / f"{name}_{seed}")
                store.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
            fact = results[key]
            cells = [f"{fact[part]:.2f} %" if part in fact else "" for part in ("cut", "trained")]
            macs = f"{fact['macs']:.3f}" if "macs" in fact else ""
            print(f"{name:16} seed {seed}  MACs {macs:6}  cut {cells[0]:8}  trained {cells[1]}",
                  flush=True)
