"""Torch-Pruning on CIFAR's ResNet-20: cut by L1 to a share of the MACs, trained for some steps,
judged on the evaluation images. Prints one line of JSON."""

import argparse
import json
import pathlib
import sys

import numpy
import onnx
import onnx.numpy_helper
import torch
import torch_pruning

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import images  # noqa: E402  (lies beside the other peers)


class Block(torch.nn.Module):
    """Two 3x3 convolutions; where the size changes, the shortcut is strided and padded with zero
    channels behind."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(outputs)
        self.conv2 = torch.nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(outputs)
        self.stride = stride
        self.padding = outputs - inputs

    def shortcut(self, x):
        if self.stride == 1:
            return x
        before = self.padding // 2
        x = x[:, :, :: self.stride, :: self.stride]
        return torch.nn.functional.pad(x, (0, 0, 0, 0, before, self.padding - before))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet20(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(16)
        widths = [16, 16, 32, 64]
        for number in (1, 2, 3):
            stride = 1 if number == 1 else 2
            first = Block(widths[number - 1], widths[number], stride)
            rest = [Block(widths[number], widths[number], 1) for _ in range(2)]
            setattr(self, f"layer{number}", torch.nn.Sequential(first, *rest))
        self.linear = torch.nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def load(path):
    """The network with the weights of the ONNX file, whose initializers have PyTorch's names."""
    weights = {
        item.name: torch.from_numpy(onnx.numpy_helper.to_array(item).copy())
        for item in onnx.load(path).graph.initializer
    }
    model = ResNet20()
    state = model.state_dict()
    for name in state:
        if not name.endswith("num_batches_tracked"):
            state[name] = weights[name]
    model.load_state_dict(state)
    return model.eval()


def macs_of(model):
    return torch_pruning.utils.count_ops_and_params(model, torch.randn(1, 3, 32, 32))[0]


def prune(path, share):
    """Half of the MACs by L1, the same share of channels in every layer inside of the blocks. The
    residual stream stays whole: Torch-Pruning does not follow channels through a padding."""
    low, high = 0.0, 1.0
    whole = macs_of(load(path))
    for _ in range(12):
        ratio = (low + high) / 2
        model = load(path)
        kept = [
            layer
            for name, layer in model.named_modules()
            if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)) and ".conv1" not in name
        ]
        pruner = torch_pruning.pruner.MagnitudePruner(
            model,
            torch.randn(1, 3, 32, 32),
            importance=torch_pruning.importance.MagnitudeImportance(p=1),
            pruning_ratio=ratio,
            ignored_layers=kept,
        )
        pruner.step()
        if macs_of(model) / whole > share:
            low = ratio
        else:
            high = ratio
            best = model
    return best, macs_of(best) / whole


def accuracy(model, pixels, labels):
    model.eval()
    with torch.no_grad():
        found = [model(part).argmax(1) for part in torch.split(pixels, 500)]
    return 100.0 * (torch.cat(found) == labels).double().mean().item()


def read_all(source, count):
    pixels = numpy.concatenate(list(source.batches(0, count, 500)))
    return torch.from_numpy(pixels), torch.from_numpy(source.labels[:count])


def train(model, pixels, labels, batch, rate, seed):
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    order = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(seed))
    for part in torch.split(order, batch):
        loss = torch.nn.functional.cross_entropy(model(pixels[part]), labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    training = images.Images(arguments.data, "train")
    evaluation = images.Images(arguments.data, "eval")
    pixels, labels = read_all(training, len(training.files))
    judging = read_all(evaluation, len(evaluation.files))
    model, share = prune(arguments.model, arguments.share)
    result = {"macs": share, "cut": accuracy(model, *judging)}
    train(model, pixels, labels, arguments.batch, arguments.rate, arguments.seed)
    result["trained"] = accuracy(model, *judging)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
