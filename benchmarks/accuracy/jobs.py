"""The jobs: a float training for each network of the zoo, then fine-tunings of equal length that
differ in their quantizers alone. The control has none."""

import dataclasses

FINE_TUNE_EPOCHS = 3
FLOAT_EPOCHS = 10
FINE_TUNE_RATE = 0.01

# Networks of the zoo. MobileNetV1 begins gently; the others keep ImageNet's stem of stride 2, with
# which their jobs take minutes (MobileNetV2's form for small images takes two hours a training).
ZOO = {
    "mobilenet_v1": {"zoo": "MobileNetV1", "stem": "cifar"},
    "mobilenet_v2": {"zoo": "MobileNetV2"},
    "resnet34": {"zoo": "ResNet34"},
}

# The default type, and the three combinations of PaddleSlim's quantization document.
TYPES = {
    "default": ("channel_wise_abs_max", "moving_average_abs_max"),
    "tensor-abs_max": ("abs_max", "abs_max"),
    "tensor-moving": ("abs_max", "moving_average_abs_max"),
    "channel-abs_max": ("channel_wise_abs_max", "abs_max"),
}
LOW_BITS = ("channel_wise_lsq_weight", "lsq_act")

# ResNet-20's first and last layer, which the papers of PACT and LSQ keep at 8 bits.
ENDS = ("/conv1/Conv", "/linear/Gemm")


@dataclasses.dataclass
class Job:
    """One run of `espalier train`."""

    name: str  # "<network>/<kind>/s<seed>"
    seed: int
    stage: dict
    start: str = ""  # job whose model.onnx it begins with; empty: fresh weights or a given file

    @property
    def network(self):
        return self.name.split("/")[0]

    @property
    def kind(self):
        return self.name.split("/")[1]

    @property
    def quantized(self):
        return "quantize" in self.stage


def training(epochs, rate):
    """Stage `train`; the best epoch is chosen on held-out training images."""
    return {
        "epochs": epochs,
        "optimizer": {"sgd": {"momentum": 0.9, "weight_decay": 1.0e-4}},
        "schedule": {"cosine": {"lr": rate}},
        "log_every_steps": 100,
        "checkpoint_every_steps": 100,
    }


# What a residual sum adds, and so for whom the file is: both addends quantized (the default target,
# whose files both engines run in integers), one of them (OpenVINO adds the other one inside its
# convolution, unrounded), or none.
SUMS = {"": {}, "openvino": {"target": "openvino"},
        "float_sums": {"target": "openvino", "skip": ["Add"]}}


def quantization(bits, types, arguments, ends=(), batch_norm=None, sums=""):
    """Stage `quantize`: the same bits from end to end, but for the layers `ends`, which have 8."""
    stage = {
        "mode": "qat",
        "train": training(arguments.epochs, arguments.rate),
        "quantizers": {"weights": types[0], "activations": types[1],
                       **({"batch_norm": batch_norm} if batch_norm else {})},
        # Accuracy is judged by the intervals against the control.
        "verify": {"max_drop": 100, "min_integer_mac_share": 0, "allow_slower": True,
                   "latency_rounds": 0},
    }
    if bits < 8:
        stage["method"] = "mse"
        stage["weights"] = {"bits": bits, "method": "mse"}
        stage["activations"] = {"bits": bits}
        stage["bits"] = [{"match": name, "weights": 8, "activations": 8} for name in ends]
    return {"quantize": stage | SUMS[sums]}


def few_bits(network, seed, start, arguments):
    """2 to 4 bits with and without 8-bit ends, with the other kinds of sums (the papers of PACT and
    LSQ quantize what convolutions read alone), and the ways of treating BatchNormalization."""
    def job(kind, *how):
        return Job(f"{network}/{kind}/s{seed}", seed,
                   quantization(how[0], LOW_BITS, arguments, *how[1:]), start)

    for bits in (4, 3, 2):
        yield job(f"w{bits}a{bits}-ends8", bits, ENDS)
        for sums in ("openvino", "float_sums"):
            yield job(f"w{bits}a{bits}-ends8-{sums}", bits, ENDS, None, sums)
        yield job(f"w{bits}a{bits}", bits)
    for policy in ("folded", "frozen", "re_estimated"):
        yield job(f"w4a4-ends8-{policy}", 4, ENDS, policy)


def fine_tunings(network, start, arguments):
    """Controls and default type with three seeds, the other types with one."""
    jobs = []
    for seed in (1, 2, 3):
        jobs.append(Job(f"{network}/control/s{seed}", seed,
                        {"train": training(arguments.epochs, arguments.rate)}, start))
        jobs.append(Job(f"{network}/w8a8-default/s{seed}", seed,
                        quantization(8, TYPES["default"], arguments), start))
        if network == "resnet20":
            jobs.extend(few_bits(network, seed, start, arguments))
    jobs.extend(Job(f"{network}/w8a8-{name}/s1", 1, quantization(8, types, arguments), start)
                for name, types in TYPES.items() if name != "default")
    jobs.append(Job(f"{network}/w8a8-openvino/s1", 1,
                    quantization(8, TYPES["default"], arguments, sums="openvino"), start))
    return jobs


def all_jobs(arguments):
    """Every job, those that others start from first; ResNet-20's need its weights."""
    jobs = fine_tunings("resnet20", "", arguments) if arguments.resnet20 else []
    for network in ZOO:
        name = f"{network}/float/s1"
        jobs.append(Job(name, 1, {"train": training(FLOAT_EPOCHS, 0.1)}))
        jobs.extend(fine_tunings(network, name, arguments))
    return jobs
