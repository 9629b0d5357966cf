#!/usr/bin/env python3
"""Exports torchvision networks with seeded random weights as ONNX, for the executor's judges.

Needs torch, torchvision and onnx in the Python environment that runs it (a scratch one: nothing of
the project depends on it). Batch-norm statistics and affine parameters are drawn at random, so that
a wrong fold or a wrong order of operations shows in the outputs.

usage: export_torchvision.py FOLDER            # the ten large networks
       export_torchvision.py --small FOLDER    # the two small ones kept in tests/data/models
"""
import sys
from pathlib import Path

import torch
import torchvision

LARGE = {
    "resnet18": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64, "efficientnet_b0": 64,
    "shufflenet_v2_x0_5": 64, "squeezenet1_1": 64, "densenet121": 64, "googlenet": 64,
    "regnet_y_400mf": 64, "mnasnet0_5": 64,
}


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            size = module.num_features
            module.running_mean.copy_(torch.randn(size, generator=generator) * 0.1)
            module.running_var.copy_(torch.rand(size, generator=generator) + 0.5)
            module.weight.data.copy_(torch.rand(size, generator=generator) * 0.5 + 0.75)
            module.bias.data.copy_(torch.randn(size, generator=generator) * 0.1)
    return model.eval()


def export(model, size, path, opset=17):
    example = torch.randn(1, 3, size, size)
    torch.onnx.export(model, (example,), path, opset_version=opset, dynamo=False,
                      input_names=["input"], output_names=["output"],
                      dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})
    print(path, Path(path).stat().st_size)


def main():
    small = sys.argv[1:2] == ["--small"]
    folder = Path(sys.argv[-1])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(7)
    if small:
        net = torchvision.models.MobileNetV2(num_classes=10, width_mult=0.25)
        net.features[-1] = torchvision.ops.Conv2dNormActivation(
            net.features[-1][0].in_channels, 192, kernel_size=1, activation_layer=torch.nn.ReLU6)
        net.classifier[1] = torch.nn.Linear(192, 10)
        export(randomize(net, 1), 32, str(folder / "mobilenet_v2_quarter.onnx"))
        net = torchvision.models.ShuffleNetV2([2, 2, 2], [24, 24, 48, 96, 192], num_classes=10)
        export(randomize(net, 2), 32, str(folder / "shufflenet_v2_tiny.onnx"))
        return
    for name, size in LARGE.items():
        options = {"init_weights": True, "aux_logits": False} if name == "googlenet" else {}
        net = getattr(torchvision.models, name)(weights=None, num_classes=100, **options)
        export(randomize(net, 3), size, str(folder / f"{name}.onnx"))


if __name__ == "__main__":
    with torch.no_grad():
        main()
