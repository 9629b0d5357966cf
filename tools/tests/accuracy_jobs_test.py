"""Jobs and intervals of benchmarks/accuracy."""

import argparse
import math
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"))

import intervals  # noqa: E402
import jobs  # noqa: E402
import recipe_files  # noqa: E402


def arguments():
    return argparse.Namespace(resnet20=pathlib.Path("r20.onnx"), data=pathlib.Path("cifar"),
                              output=pathlib.Path("out"), epochs=3, rate=0.01)


class Intervals(unittest.TestCase):
    def test_known_change(self):
        # Of four images one is won and none lost: mean 0.25, deviation 0.5.
        change, half = intervals.paired([[1, 0, 0, 1]], [[1, 1, 0, 1]])
        self.assertAlmostEqual(change, 25.0)
        self.assertAlmostEqual(half, 100 * 1.959964 * 0.5 / math.sqrt(4), places=4)

    def test_seeds_are_averaged_by_image(self):
        change, half = intervals.paired([[1, 0], [0, 1]], [[0, 1], [1, 0]])
        self.assertAlmostEqual(change, 0.0)
        self.assertAlmostEqual(half, 0.0)
        self.assertAlmostEqual(intervals.accuracy([[1, 0], [1, 1]]), 75.0)

    def test_other_images_are_refused(self):
        with self.assertRaises(ValueError):
            intervals.paired([[1, 0]], [[1]])


class Jobs(unittest.TestCase):
    def test_controls_differ_in_quantizers_alone(self):
        by_name = {job.name: job for job in jobs.all_jobs(arguments())}
        control = by_name["mobilenet_v1/control/s2"]
        quantized = by_name["mobilenet_v1/w8a8-default/s2"]
        self.assertEqual(control.stage["train"], quantized.stage["quantize"]["train"])
        self.assertEqual(control.start, "mobilenet_v1/float/s1")
        self.assertEqual(control.start, quantized.start)
        self.assertEqual(control.seed, quantized.seed)
        ours, theirs = (recipe_files.recipe(job, arguments()) for job in (control, quantized))
        del ours["stages"], theirs["stages"]
        self.assertEqual(ours, theirs)

    def test_every_start_is_a_job_before(self):
        seen = set()
        for job in jobs.all_jobs(arguments()):
            self.assertTrue(not job.start or job.start in seen, job.name)
            self.assertNotIn(job.name, seen)
            seen.add(job.name)
        self.assertIn("resnet20/w2a2/s3", seen)

    def test_the_best_epoch_is_not_chosen_by_test_images(self):
        recipe = recipe_files.recipe(jobs.all_jobs(arguments())[0], arguments())
        splits = recipe["data"]
        self.assertEqual(splits["train"]["dataset"]["held_out"]["part"], "rest")
        self.assertEqual(splits["eval"]["dataset"]["held_out"]["part"], "held_out")
        self.assertIn("val_list.txt", splits["test"]["dataset"]["cls_label_path"])
        self.assertNotIn("val_list.txt", splits["eval"]["dataset"]["cls_label_path"])


if __name__ == "__main__":
    unittest.main()
