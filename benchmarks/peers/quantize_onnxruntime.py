"""ONNX Runtime's static quantization as its documentation describes it, in a process of its own."""

import argparse

import images
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class Reader(CalibrationDataReader):
    def __init__(self, input_name, batches):
        self.input_name = input_name
        self.batches = batches

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {self.input_name: batch}


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "data", "output", "method", "input"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--micro-batch", type=int, required=True)
    arguments = parser.parse_args()
    prepared = arguments.output + ".prepared"
    quant_pre_process(arguments.model, prepared)
    source = images.Images(arguments.data, "train")
    quantize_static(
        prepared,
        arguments.output,
        Reader(arguments.input, source.batches(0, arguments.samples, arguments.micro_batch)),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[arguments.method],
    )


if __name__ == "__main__":
    main()
