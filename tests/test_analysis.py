import keras
import pytest

import keras_resnet
from keras_resnet import analysis, constructors

# He et al., 2016, Table 1: multiply-adds as published, in billions.
PUBLISHED = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3}

# Counted by hand from Table 1: convolutions and fc at 224x224.
OPTION_A = {18: 1_794_805_760, 34: 3_644_493_824}
OPTION_B = {18: 1_814_073_344, 34: 3_663_761_408}
V1 = {50: 3_857_973_248, 101: 7_570_194_432, 152: 11_282_415_616}
V1_5 = {50: 4_089_184_256, 101: 7_801_405_440, 152: 11_513_626_624}


def network(depth, **arguments):
    return constructors.constructor("ResNet", depth)(**arguments)


@pytest.mark.parametrize(("depth", "expected"), (OPTION_A | V1).items())
def test_the_papers_networks_cost_what_it_publishes(depth, expected):
    shortcut = "A" if depth in OPTION_A else "B"
    counted = analysis.multiply_adds(network(depth, shortcut=shortcut))
    assert counted == expected
    assert abs(counted / 1e9 / PUBLISHED[depth] - 1) < 0.02


@pytest.mark.parametrize(("depth", "expected"), OPTION_B.items())
def test_projections_cost_little_where_only_shapes_change(depth, expected):
    model = network(depth, shortcut="B")
    assert analysis.multiply_adds(model) == expected
    assert analysis.projections(model) == ["conv3_1", "conv4_1", "conv5_1"]


@pytest.mark.parametrize("depth", OPTION_A)
def test_a_plain_net_costs_what_option_a_does(depth):
    plain = constructors.constructor("PlainNet", depth)()
    assert analysis.multiply_adds(plain) == OPTION_A[depth]
    assert analysis.trainable_parameters(plain) == analysis.trainable_parameters(
        network(depth, shortcut="A")
    )
    assert analysis.projections(plain) == []


@pytest.mark.parametrize(("depth", "expected"), V1_5.items())
def test_the_stride_on_the_3x3_costs_more(depth, expected):
    assert analysis.multiply_adds(network(depth, bottleneck_stride="3x3")) == expected


@pytest.mark.parametrize(("depth", "ratio"), [(50, 1.64), (101, 1.79), (152, 1.84)])
def test_projections_everywhere_nearly_double_a_bottleneck_network(depth, ratio):
    model = network(depth, shortcut="C")
    assert len(analysis.projections(model)) == sum(constructors.IMAGENET_TABLE[depth][1])
    assert round(analysis.multiply_adds(model) / V1[depth], 2) == ratio


def test_vgg_19_costs_what_the_paper_says():
    counted = analysis.multiply_adds(keras.applications.VGG19(weights=None))
    assert counted == 19_632_062_464
    assert abs(counted / 19.6e9 - 1) < 0.02


@pytest.mark.parametrize(
    ("depth", "expected"), [(20, 269_722), (32, 464_154), (44, 658_586), (56, 853_018)]
)
def test_cifar_networks_have_the_published_parameters(depth, expected):
    assert analysis.trainable_parameters(keras_resnet.CifarResNet(depth)) == expected


def test_another_input_costs_in_proportion_to_its_pixels():
    model = keras_resnet.CifarResNet(8, include_top=False)
    small, large = (analysis.multiply_adds(model, (side, side, 3)) for side in (32, 64))
    assert large == 4 * small
    with pytest.raises(ValueError, match="`input_shape` must be"):
        analysis.multiply_adds(model)
