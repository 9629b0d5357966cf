"""A trained network at 70 and 50 % of its MACs, cut alike everywhere and by measured sensitivities,
and whole as a control, each trained for the same steps on the same drawn images. Sensitivities are
measured once, on 2 000 training images. Jobs that are done are not run again."""

import argparse
import pathlib
import sys

import jobs

SHARES = (0.7, 0.5)
ALIGN = 8


def strategy(share, **keys):
    """A job that prunes to a share of the MACs with these keys of the stage."""
    def job(arguments, data, seed, folder):
        stage = {"prune": {"target_macs": share, "align": ALIGN, "check": True,
                           "reconstruct": False, "fine_tune": jobs.TRAINING, **keys}}
        return jobs.espalier_job(arguments, data, seed, stage, folder)
    return job


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True,
                        help="a trained network as ONNX file, normalizations kept")
    parser.add_argument("--max-loss", type=float, default=30,
                        help="points at which the measurement of a group and ratio may stop")
    jobs.add_arguments(parser)
    arguments = parser.parse_args()
    curves = jobs.sensitivities(arguments, arguments.max_loss)
    chosen = {"control": jobs.control}
    for share in SHARES:
        percent = round(100 * share)
        chosen[f"uniform-{percent}"] = strategy(share)
        chosen[f"sensitivity-{percent}"] = strategy(share, strategy="sensitivity",
                                                    sensitivities=curves)
    jobs.run_all(arguments, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
