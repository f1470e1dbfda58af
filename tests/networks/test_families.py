import pytest

from keras_resnet import constructors
from keras_resnet.checks import UserError
from keras_resnet.networks import families, layers, resnet


def test_the_names_are_those_of_the_networks():
    """Of what is built, which the names are the data of."""
    assert set(families.ACTIVATIONS) == set(layers.ACTIVATIONS)
    assert set(families.STEMS) == set(resnet.STEM_STRIDES)
    kinds = {kind for kind, _ in families.TABLE.values()}
    assert {*families.BASIC_BLOCKS, *kinds} == set(resnet.BLOCKS)
    for network, depths in families.DEPTHS.items():
        for depth in depths:
            assert constructors.constructor(network, depth).__name__ == f"{network}{depth}"


def test_depths_count_the_layers_with_weights():
    for depth, (kind, blocks) in families.TABLE.items():
        of_block = 3 if kind == "bottleneck" else 2
        assert 1 + of_block * sum(blocks) + 1 == depth
        assert families.has_bottlenecks("ResNet", depth) == (of_block == 3)
        assert not families.has_bottlenecks("CifarResNet", depth)


@pytest.mark.parametrize(
    ("network", "depth", "message"),
    [
        ("ResNet", 20, "`depth` must be one of 10, 18, 34, 50, 101, 152"),
        ("PlainNet", 50, "`depth` must be one of 18, 34"),
        ("CifarResNet", 21, "`depth` must be 6n[+]2"),
        ("CifarPlainNet", 2, "`depth` must be an integer of at least 8"),
        ("VGG", 19, "`network` must be one of"),
    ],
)
def test_other_depths_are_refused_as_when_built(network, depth, message):
    for check in (families.check_depth, constructors.constructor):
        with pytest.raises(UserError, match=message):
            check(network, depth)
