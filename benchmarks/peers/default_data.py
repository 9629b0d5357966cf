"""The model and images that the comparison uses when none are given: a ResNet-20 trained for two
epochs on Debian's Fashion-MNIST, written as PNG files so that every tool decodes the same ones."""

import gzip
import pathlib
import subprocess

import numpy
import PIL.Image

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
TRANSFORMS = """      transform_ops:
        - DecodeImage: {to_rgb: true, channel_first: false}
        - NormalizeImage:
            {scale: 1.0/255.0, mean: [0.286, 0.286, 0.286], std: [0.353, 0.353, 0.353]}
        - ToCHWImage:
"""


def find(folder, name):
    for path in (folder / name, folder / (name + ".gz")):
        if path.exists():
            data = path.read_bytes()
            return gzip.decompress(data) if path.suffix == ".gz" else data
    raise SystemExit(f"'{folder / name}' is missing: install the package dataset-fashion-mnist")


def write_split(folder, split, prefix, count):
    pixels = numpy.frombuffer(
        find(FASHION, prefix + "-images-idx3-ubyte"), numpy.uint8, offset=16
    )
    labels = numpy.frombuffer(find(FASHION, prefix + "-labels-idx1-ubyte"), numpy.uint8, offset=8)
    pixels = pixels.reshape(-1, 28, 28)[:count]
    (folder / split).mkdir(parents=True, exist_ok=True)
    lines = []
    for index, image in enumerate(pixels):
        name = f"{split}/{index:05}.png"
        PIL.Image.fromarray(numpy.pad(image, 2)).convert("RGB").save(folder / name)
        lines.append(f"{name} {labels[index]}\n")
    (folder / f"{split}.txt").write_text("".join(lines), encoding="utf-8")


def block(folder, split, batch, shuffle):
    return (
        f"    dataset:\n      name: ImageNetDataset\n      image_root: {folder}\n"
        f"      cls_label_path: {folder / (split + '.txt')}\n{TRANSFORMS}"
        f"    sampler: {{batch_size: {batch}, shuffle: {shuffle}}}\n"
    )


def make(folder, espalier):
    """Writes images, lists and a recipe, trains; gives the float model and the data file."""
    folder = folder.resolve()
    model, data = folder / "run" / "model.onnx", folder / "data.yaml"
    if model.exists() and data.exists():
        return model, data
    write_split(folder, "train", "train", 12000)
    write_split(folder, "eval", "t10k", 4000)
    train, evaluation = block(folder, "train", 64, "true"), block(folder, "eval", 64, "false")
    data.write_text(f"DataLoader:\n  Train:\n{train}  Eval:\n{evaluation}", encoding="utf-8")
    recipe = folder / "recipe.yaml"
    recipe.write_text(
        "version: 1\nseed: 1\nmodel: {zoo: ResNet20}\n"
        f"data:\n  train:\n{train}  eval:\n{evaluation}metrics: [top1]\n"
        "stages:\n  - train: {epochs: 2, schedule: {cosine: {lr: 0.1}}}\n  - export: {opset: 17}\n",
        encoding="utf-8",
    )
    subprocess.run(
        [espalier, "train", "-c", str(recipe), "-o", str(folder / "run"), "-q"], check=True
    )
    return model, data
