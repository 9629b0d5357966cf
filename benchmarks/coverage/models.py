"""The networks that coverage.py prunes: every convolutional classifier and segmentation network of
torchvision, and one or more of each family of timm that the project promises."""

import dataclasses

# Families first, so that a run that is stopped early has seen one of each kind.
FIRST = ["resnet18", "mobilenet_v2", "shufflenet_v2_x1_0", "densenet121", "googlenet",
         "squeezenet1_1", "mobilenet_v3_small", "efficientnet_b0", "regnet_y_400mf",
         "resnext50_32x4d", "convnext_tiny", "mnasnet1_0", "inception_v3",
         "lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50", "resnet50",
         "efficientnet_v2_s", "alexnet", "vgg11_bn"]
TIMM = ["mobilenetv3_large_100", "efficientnet_b0", "efficientnet_lite0", "ghostnet_100",
        "regnetx_002", "convnext_atto", "hrnet_w18_small", "res2net50_26w_4s", "seresnet50",
        "resnext50_32x4d", "dpn68", "mixnet_s", "repvgg_a0", "dla34", "ese_vovnet19b_dw",
        "cspresnet50", "lcnet_050"]
TRANSFORMERS = ("vit", "swin", "maxvit")
# Models whose initializers alone take more than the 2 GiB that one ONNX file holds.
TOO_LARGE = ("regnet_y_128gf",)
# Adaptive pooling exports only where the sizes divide; Inception needs room for its stem.
SIDES = {"alexnet": 224, "vgg": 224, "inception": 128, "googlenet": 96}


@dataclasses.dataclass
class Network:
    """A network to cover."""

    source: str  # "torchvision", "segmentation" or "timm"
    name: str

    @property
    def side(self):
        """Height and width of the images it is exported for."""
        for prefix, side in SIDES.items():
            if self.name.startswith(prefix):
                return side
        return 64

    @property
    def label(self):
        """How tables name it."""
        return f"timm {self.name}" if self.source == "timm" else self.name

    def build(self):
        """The network with random weights, in evaluation mode."""
        if self.source == "timm":
            import timm
            return timm.create_model(self.name, pretrained=False).eval()
        import torchvision
        options = {"weights": None}
        if self.source == "segmentation":
            options["weights_backbone"] = None
        if self.name in ("googlenet", "inception_v3"):
            options.update(aux_logits=False, init_weights=False)
        return torchvision.models.get_model(self.name, **options).eval()


def all_networks():
    """Every network, one of each family first."""
    import torchvision
    classifiers = torchvision.models.list_models(module=torchvision.models)
    segmenters = torchvision.models.list_models(module=torchvision.models.segmentation)
    names = [Network("torchvision", name) for name in classifiers]
    names += [Network("segmentation", name) for name in segmenters]
    names = [network for network in names
             if not network.name.startswith(TRANSFORMERS) and network.name not in TOO_LARGE]
    order = {name: place for place, name in enumerate(FIRST)}
    names.sort(key=lambda network: (order.get(network.name, len(order)), network.name))
    first = [network for network in names if network.name in order]
    rest = [network for network in names if network.name not in order]
    return first + [Network("timm", name) for name in TIMM] + rest
