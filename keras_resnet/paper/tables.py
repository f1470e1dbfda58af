"""The paper's tables of networks: what was published beside what the built networks have."""

from collections.abc import Iterable, Iterator

import keras

from keras_resnet import constructors
from keras_resnet.networks import analysis, layers, resnet

# He et al., 2016, Table 1: multiply-adds in billions at 224x224. VGG-19: section 3.3.
PUBLISHED_BILLIONS = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3, "VGG-19": 19.6}

# Table 6: parameters in millions and error on CIFAR-10 in %, the mean of five runs in brackets.
PUBLISHED_CIFAR = {
    20: (0.27, "8.75"),
    32: (0.46, "7.51"),
    44: (0.66, "7.17"),
    56: (0.85, "6.97"),
    110: (1.7, "6.43 (6.61 +- 0.16)"),
    1202: (19.4, "7.93"),
}

# Top-1 error in % of 10 crops on ImageNet. Table 2: plain, and option A; Table 3: the others.
PUBLISHED_IMAGENET = {
    "plain": {18: 27.94, 34: 28.54},
    "residual": {18: 27.88, 34: 25.03, 50: 22.85, 101: 21.75, 152: 21.43},
}

# Table 6 as well. These networks are of other papers: nothing is built of them here.
PUBLISHED_OTHERS = {
    "Maxout": (None, None, "9.38"),
    "NIN": (None, None, "8.81"),
    "DSN": (None, None, "8.22"),
    "FitNet": (19, 2.5, "8.39"),
    "Highway-19": (19, 2.3, "7.54 (7.72 +- 0.16)"),
    "Highway-32": (32, 1.25, "8.80"),
}

# Network, depth, and what is given beside them: the rows of Table 1 and their variants.
IMAGENET_VARIANTS: tuple[tuple[str, int, dict[str, str]], ...] = (
    *(("PlainNet", depth, {}) for depth in (18, 34)),
    *(("ResNet", depth, {"shortcut": shortcut}) for depth in (18, 34) for shortcut in "ABC"),
    *(
        ("ResNet", depth, {"shortcut": shortcut, "bottleneck_stride": stride})
        for depth in (50, 101, 152)
        for shortcut, stride in (("B", "1x1"), ("B", "3x3"), ("C", "1x1"))
    ),
)


def imagenet_rows() -> Iterator[dict[str, object]]:
    """Table 1 with its variants and VGG-19: a dict for each network, counted from its graph.

    The published figure stands where the paper describes the variant: depths 18 and 34 without
    projections, the others with B and the stride on the first 1x1.
    """
    for network, depth, arguments in IMAGENET_VARIANTS:
        model = constructors.constructor(network, depth)(**arguments)
        described = arguments.get("shortcut") == ("A" if depth < 50 else "B")
        described = described and arguments.get("bottleneck_stride") != "3x3"
        last_blocks = [model.get_layer("conv1"), *_last_blocks(model)]
        yield {
            "network": f"{network}-{depth}",
            "shortcut": arguments.get("shortcut", "none"),
            "stride": arguments.get("bottleneck_stride", ""),
            **_costs(model, PUBLISHED_BILLIONS[depth] if described else None),
            "projections": len(analysis.projections(model)),
            "output sizes": [layer.output.shape[1] for layer in last_blocks],
        }
    vgg = keras.applications.VGG19(weights=None)
    yield {
        "network": "VGG-19",
        "shortcut": "none",
        "stride": "",
        **_costs(vgg, PUBLISHED_BILLIONS["VGG-19"]),
        "projections": 0,
        "output sizes": [],
    }


def _costs(model: keras.Model, published_billions: float | None) -> dict[str, object]:
    counted = analysis.multiply_adds(model)
    published = published_billions and round(published_billions * 1e9)
    return {
        "parameters": analysis.trainable_parameters(model),
        "multiply-adds": counted,
        "published": published,
        "difference %": published and round(100 * (counted / published - 1), 2),
    }


def _last_blocks(model: resnet.ResNet) -> Iterable[layers.Block]:
    """The last block of each stage, conv2_x to conv5_x."""
    blocks = [layer for layer in model.layers if isinstance(layer, layers.Block)]
    return {block.name.split("_")[0]: block for block in blocks}.values()


def cifar_rows() -> Iterator[dict[str, object]]:
    """Table 6, the networks for CIFAR-10: residual and plain nets counted, others as published."""
    depth: int | None
    millions: float | None
    for depth, (millions, error) in PUBLISHED_CIFAR.items():
        for network in ("CifarResNet", "CifarPlainNet"):
            model = constructors.constructor(network, depth)()
            residual = network == "CifarResNet"
            counted = analysis.trainable_parameters(model)
            yield {
                "network": f"{network}-{depth}",
                "layers": depth,
                "multiply-adds": analysis.multiply_adds(model),
                "parameters": counted,
                "published millions": millions if residual else None,
                "difference %": round(counted / millions / 1e4 - 100, 2) if residual else None,
                "published error %": error if residual else None,
            }
    for name, (depth, millions, error) in PUBLISHED_OTHERS.items():
        yield {
            "network": f"{name} (published only)",
            "layers": depth,
            "multiply-adds": None,
            "parameters": None,
            "published millions": millions,
            "difference %": None,
            "published error %": error,
        }
