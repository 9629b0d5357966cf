"""Predictions of an ONNX file in both engines, float parts in float32."""

import numpy
import onnxruntime
import openvino


class OnnxRuntime:
    name = "onnxruntime"

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )
        self.input = self.session.get_inputs()[0].name

    def run(self, batch):
        return self.session.run(None, {self.input: batch})[0]


class OpenVino:
    name = "openvino"

    def __init__(self, path):
        self.model = openvino.Core().compile_model(
            path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )

    def run(self, batch):
        return self.model([batch])[0]


ENGINES = (OnnxRuntime, OpenVino)


def predictions(engine, path, source, count):
    model = engine(str(path))
    return numpy.concatenate(
        [model.run(batch).argmax(axis=1) for batch in source.batches(0, count, 64)]
    )
