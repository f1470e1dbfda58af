"""The families of networks as data: their depths, shortcuts, strides, stems and blocks."""

from keras_resnet import checks

# Table 1: the block, and how many of them conv2_x to conv5_x hold.
IMAGENET_TABLE = {
    18: ("basic", (2, 2, 2, 2)),
    34: ("basic", (3, 4, 6, 3)),
    50: ("bottleneck", (3, 4, 6, 3)),
    101: ("bottleneck", (3, 4, 23, 3)),
    152: ("bottleneck", (3, 8, 36, 3)),
}

# The same with one block a stage, which the paper has not: for small data and quick trials.
TABLE = {10: ("basic", (1, 1, 1, 1)), **IMAGENET_TABLE}

# The CIFAR networks have any depth 6n+2.
DEPTHS: dict[str, tuple[int, ...]] = {"ResNet": tuple(TABLE), "PlainNet": (18, 34)}
CIFAR_NETWORKS = ("CifarResNet", "CifarPlainNet")
NETWORKS = (*DEPTHS, *CIFAR_NETWORKS)
PLAIN_NETWORKS = ("PlainNet", "CifarPlainNet")

SHORTCUTS = ("A", "B", "C")
STRIDE_PLACES = ("1x1", "3x3")
STEMS = ("imagenet", "cifar")
ACTIVATIONS = ("relu", "leaky_relu", "tanh", "sigmoid")
# The basic block, and what may take its place.
BASIC_BLOCKS = (
    "basic",
    "single_layer",
    "inverted_bottleneck",
    "outer_addition",
    "squared_shortcut",
)


def check_depth(network: str, depth: int) -> None:
    """Raises UserError unless a family has a depth."""
    checks.check_one_of("network", network, NETWORKS)
    if network in CIFAR_NETWORKS:
        check_cifar_depth(depth)
    else:
        checks.check_one_of("depth", depth, DEPTHS[network])


def check_cifar_depth(depth: int) -> None:
    """Raises UserError unless the depth is 6n+2."""
    checks.check_integer("depth", depth, 8)
    if depth % 6 != 2:
        raise checks.UserError(
            "`depth` must be 6n+2 (8, 14, 20, 32, 44, 56, 110, ...) for the CIFAR networks. "
            f"Received: depth={depth!r}"
        )


def has_bottlenecks(network: str, depth: int) -> bool:
    """Whether the blocks of a network are bottlenecks."""
    return network == "ResNet" and depth in TABLE and TABLE[depth][0] != "basic"
