"""Median training step of MobileNetV1 with one tool's quantizers, or none, in a process of its own.
Prints JSON: median_ms, peak_mib, version."""

import argparse
import json
import os
import statistics
import time

import torch
import torch.nn.functional as functional
from torch import nn

CLASSES = 10
BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
          (512, 1), (512, 1), (1024, 2), (1024, 1)]


def layer(inputs, outputs, kernel, stride, groups):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs), nn.ReLU())


class MobileNetV1(nn.Module):
    """As the network of our own rows, weights aside."""

    def __init__(self):
        super().__init__()
        layers = [layer(3, 32, 3, 2, 1)]
        channels = 32
        for outputs, stride in BLOCKS:
            layers += [layer(channels, channels, 3, stride, channels),
                       layer(channels, outputs, 1, 1, 1)]
            channels = outputs
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(channels, CLASSES)

    def forward(self, images):
        return self.head(self.layers(images).mean((2, 3)))


def plain(model, _):
    return model


def torch_ao(model, images):
    """FX graph mode with the default configuration for x86."""
    from torch.ao.quantization import get_default_qat_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_qat_fx
    return prepare_qat_fx(model.train(), get_default_qat_qconfig_mapping("x86"), (images,))


def torchao_pt2e(model, images):
    """Export mode with the quantizer for x86."""
    from torchao.quantization.pt2e import move_exported_model_to_train
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86
    batch = torch.export.Dim("batch", min=2)
    exported = torch.export.export(model.train(), (images,), dynamic_shapes=({0: batch},)).module()
    quantizer = x86.X86InductorQuantizer().set_global(
        x86.get_default_x86_inductor_quantization_config(is_qat=True))
    return move_exported_model_to_train(prepare_qat_pt2e(exported, quantizer)) or exported


def nncf_torch(model, images):
    """Quantized after training with the defaults; its quantizers are then trained."""
    # Its loops are compiled at the first use, which takes minutes.
    os.environ.setdefault("NNCF_EXTENSION_LOAD_TIMEOUT", "0")
    import nncf
    model.eval()
    return nncf.quantize(model, nncf.Dataset([images[:8]]), subset_size=1)


TOOLS = {"float": plain, "torch.ao": torch_ao, "torchao": torchao_pt2e, "nncf": nncf_torch}


def peak_mib():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(arguments.threads)
    images = torch.randn(arguments.batch, 3, arguments.size, arguments.size)
    images = images.to(memory_format=torch.channels_last)
    labels = torch.arange(arguments.batch) % CLASSES
    model = MobileNetV1().to(memory_format=torch.channels_last)
    model = TOOLS[arguments.tool](model, images)
    if arguments.tool != "torchao":  # exported models refuse it
        model.train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9, weight_decay=1e-4)
    times = []
    for step in range(arguments.steps + 5):
        start = time.perf_counter()
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        if step >= 5:
            times.append(1000 * (time.perf_counter() - start))
    print(json.dumps({"median_ms": statistics.median(times), "peak_mib": peak_mib()}))


if __name__ == "__main__":
    main()
