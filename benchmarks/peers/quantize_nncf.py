"""NNCF's post-training quantization of an ONNX model with its defaults, in a process of its own."""

import argparse

import images
import nncf
import onnx


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "data", "output", "input"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--micro-batch", type=int, required=True)
    arguments = parser.parse_args()
    source = images.Images(arguments.data, "train")
    batches = list(range(0, arguments.samples, arguments.micro_batch))

    def read(start):
        count = min(arguments.micro_batch, arguments.samples - start)
        return {arguments.input: next(source.batches(start, count, count))}

    quantized = nncf.quantize(
        onnx.load(arguments.model), nncf.Dataset(batches, read), subset_size=len(batches)
    )
    onnx.save(quantized, arguments.output)


if __name__ == "__main__":
    main()
