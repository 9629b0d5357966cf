"""Recipes and data files of the jobs, as JSON, which is YAML."""

import json

import jobs

NORMALIZE = {"NormalizeImage": {"scale": "1.0/255.0", "mean": [0.485, 0.456, 0.406],
                                "std": [0.229, 0.224, 0.225], "order": ""}}
HELD_OUT = 5000


def split(data, listing, part, augment):
    """A data block of CIFAR-10: `part` of the training images, or the test images."""
    dataset = {
        "name": "ImageNetDataset",
        "image_root": str(data),
        "cls_label_path": str(data / listing),
        "transform_ops": [{"DecodeImage": {"to_rgb": True, "channel_first": False}}],
    }
    if part:
        dataset["held_out"] = {"samples": HELD_OUT, "seed": 1, "part": part}
    if augment:
        dataset["transform_ops"] += [{"PaddedRandCrop": {"size": 32, "padding": 4}},
                                     {"RandFlipImage": {"flip_code": 1}}]
    dataset["transform_ops"] += [NORMALIZE, {"ToCHWImage": None}]
    sampler = {"batch_size": 64 if augment else 100}
    if augment:
        sampler |= {"shuffle": True, "drop_last": True}
    return {"dataset": dataset, "sampler": sampler, "loader": {"num_workers": 1}}


def test_split(data):
    return split(data, "val_list.txt", "", augment=False)


def recipe(job, arguments):
    """The recipe of a job."""
    if job.start:
        model = {"onnx": str((arguments.output / job.start / "model.onnx").resolve())}
    elif job.network in jobs.ZOO:
        model = jobs.ZOO[job.network] | {"classes": 10, "image_size": 32}
    else:
        model = {"onnx": str(arguments.resnet20.resolve())}
    data = arguments.data.resolve()
    return {
        "version": 1,
        "seed": job.seed,
        "model": model,
        "data": {
            "train": split(data, "train_list.txt", "rest", augment=True),
            "eval": split(data, "train_list.txt", "held_out", augment=False),
            "test": test_split(data),
            "calibration": {"from": "train", "samples": 512},
        },
        "metrics": ["top1"],
        "stages": [job.stage],
    }


def write(path, content):
    """Writes unless the file says the same, so that times of files mean something."""
    text = json.dumps(content, indent=1) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path
