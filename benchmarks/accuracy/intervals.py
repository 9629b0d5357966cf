"""Paired intervals: the same test images judged by two models, or by several seeds of two."""

import math

Z95 = 1.959963984540054


def paired(control, other):
    """Change of accuracy in points from `control` to `other` with the half width of its 95 %
    interval. Both hold, for every seed, one flag an image: right or wrong. Each image's change is
    averaged over the seeds; images are the sample, so what is left of seeds is in their spread."""
    images = len(control[0])
    if any(len(flags) != images for flags in (*control, *other)):
        raise ValueError("not the same images")
    changes = [sum(flags[i] for flags in other) / len(other)
               - sum(flags[i] for flags in control) / len(control) for i in range(images)]
    mean = sum(changes) / images
    variance = sum((change - mean) ** 2 for change in changes) / (images - 1)
    return 100 * mean, 100 * Z95 * math.sqrt(variance / images)


def accuracy(flags):
    """Mean over the seeds, in percent."""
    return 100 * sum(sum(one) / len(one) for one in flags) / len(flags)
