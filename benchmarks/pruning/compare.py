"""ResNet-20 for CIFAR-10 at half its MACs: Espalier (by measured sensitivities, and with the same
share of every group), Torch-Pruning (the same share of every layer), and the whole network as a
control, each trained for the same steps with the same numbers on the same drawn images. Jobs that
are done are not run again. Prints a table and writes FOLDER/results.json."""

import argparse
import json
import pathlib
import sys

import jobs

HERE = pathlib.Path(__file__).resolve().parent
SHARE = 0.5
MAX_LOSS = 30  # points at which the measurement of a group and ratio may stop


def espalier(**keys):
    """The layers that Torch-Pruning can cut. Training starts from the cut weights themselves."""
    def job(arguments, data, seed, folder):
        stage = {"prune": {"target_macs": SHARE, "align": 1, "check": True, "reconstruct": False,
                           "skip": ["*conv2*", "/conv1/Conv"], "fine_tune": jobs.TRAINING, **keys}}
        return jobs.espalier_job(arguments, data, seed, stage, folder)
    return job


def torch_pruning(arguments, data, seed, folder):
    log = folder.with_suffix(".log")
    jobs.run([sys.executable, "-B", HERE / "torch_pruning_job.py", "--model", arguments.model,
              "--data", data, "--share", str(SHARE), "--batch", str(jobs.BATCH), "--rate",
              str(jobs.RATE), "--seed", str(seed)], log)
    return json.loads(log.read_text(encoding="utf-8").strip().split("\n")[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="ResNet-20 as ONNX file")
    jobs.add_arguments(parser)
    arguments = parser.parse_args()
    curves = jobs.sensitivities(arguments, MAX_LOSS)
    jobs.run_all(arguments, {
        "control": jobs.control,
        "espalier": espalier(strategy="sensitivity", sensitivities=curves),
        "espalier-uniform": espalier(),
        "torch-pruning": torch_pruning,
    })
    return 0


if __name__ == "__main__":
    sys.exit(main())
