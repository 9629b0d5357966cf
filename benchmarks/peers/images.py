"""Reads the images of a DATA.yaml (ImageNetDataset, deterministic transforms) for the peers."""

import pathlib

import numpy
import PIL.Image
import yaml

SPLIT_NAMES = {"train": ("Train", "train"), "eval": ("Eval", "eval")}


def number(value):
    """A number, or a text like 1.0/255.0."""
    if isinstance(value, str):
        top, _, bottom = value.partition("/")
        return float(top) / float(bottom or 1)
    return float(value)


def resize(image, options):
    if "resize_short" in options:
        factor = options["resize_short"] / min(image.size)
        size = tuple(round(side * factor) for side in image.size)
    else:
        size = options["size"]
        size = (size, size) if isinstance(size, int) else tuple(size)
    return image.resize(size, PIL.Image.BILINEAR)


def crop(image, options):
    size = options["size"]
    width, height = (size, size) if isinstance(size, int) else tuple(size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def normalize(pixels, options):
    mean = numpy.array(options.get("mean", [0.485, 0.456, 0.406]), dtype=numpy.float32)
    std = numpy.array(options.get("std", [0.229, 0.224, 0.225]), dtype=numpy.float32)
    return (pixels * numpy.float32(number(options.get("scale", 1 / 255))) - mean) / std


class Images:
    """The samples of one split, decoded when asked for."""

    def __init__(self, data_file, split):
        path = pathlib.Path(data_file)
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        blocks = content.get("DataLoader", content)
        block = next((blocks[name] for name in SPLIT_NAMES[split] if name in blocks), blocks)
        dataset = block["dataset"]
        if dataset.get("name") != "ImageNetDataset":
            raise SystemExit(
                f"{data_file}: got data set '{dataset.get('name')}', expected ImageNetDataset"
            )
        self.root = self._find(dataset["image_root"], path.parent)
        self.listing = self._find(dataset["cls_label_path"], path.parent)
        lines = self.listing.read_text(encoding="utf-8").split("\n")
        pairs = [line.rsplit(" ", 1) for line in lines if line.strip()]
        self.files = [self.root / name for name, _ in pairs]
        self.labels = numpy.array([int(label) for _, label in pairs])
        self.transforms = [next(iter(item.items())) for item in dataset.get("transform_ops", [])]
        self.block = block

    @staticmethod
    def _find(name, folder):
        path = pathlib.Path(name)
        return path if path.exists() else folder / name

    def read(self, index):
        image = PIL.Image.open(self.files[index]).convert("RGB")
        pixels = None
        for name, options in self.transforms:
            options = options or {}
            if name == "ResizeImage":
                image = resize(image, options)
            elif name == "CropImage":
                image = crop(image, options)
            elif name == "NormalizeImage":
                pixels = normalize(numpy.asarray(image, dtype=numpy.float32), options)
            elif name == "ToCHWImage":
                pixels = numpy.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=numpy.float32)
            elif name != "DecodeImage":
                raise SystemExit(
                    f"transform {name}: random and unknown transforms cannot be compared"
                )
        return pixels

    def batches(self, first, count, size):
        for start in range(first, first + count, size):
            stop = min(start + size, first + count)
            yield numpy.stack([self.read(index) for index in range(start, stop)])
