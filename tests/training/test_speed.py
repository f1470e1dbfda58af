import keras
import pytest

import keras_resnet
from keras_resnet.networks.analysis import multiply_adds
from keras_resnet.training.speed import Speed
from keras_resnet.training.step_times import StepTimes


@pytest.fixture(scope="module")
def network():
    return keras_resnet.CifarResNet(8)


def test_figures_are_of_all_and_of_each_replica(network):
    figures = Speed(network, replicas=4, peak=None).figures(100, StepTimes(2.0, 0.5))
    assert figures == {
        "images_per_second": 50.0,
        "images_per_second_per_replica": 12.5,
        "input_wait": 0.25,
    }
    assert Speed(network, 1, None).figures(100, StepTimes(2.0)) == {"images_per_second": 50.0}
    # As of a window that has nothing but a first call.
    assert Speed(network, 1, 1e9).figures(0, StepTimes(0.0)) == {}


def test_the_share_of_the_peak_counts_two_operations_forward_and_four_backward(network):
    # Of a network of 12.5 million multiply-adds (He et al., section 4.2, n = 1).
    assert multiply_adds(network) == pytest.approx(12.5e6, rel=0.03)
    figures = Speed(network, replicas=2, peak=1e9).figures(10, StepTimes(1.0))
    assert figures["peak_share"] == pytest.approx(10 * 6 * multiply_adds(network) / 2e9)


def test_of_a_frozen_part_or_images_of_any_size_no_share_is_known():
    frozen = keras_resnet.CifarResNet(8)
    frozen.layers[1].trainable = False
    any_size = keras_resnet.CifarResNet(8, input_shape=(None, None, 3))
    images, sizes = keras.Input((8, 8, 3)), keras.Input((2,))
    canvas = keras.Model([images, sizes], keras.layers.Conv2D(2, 3)(images))

    class OfNoGraph(keras.Model):
        pass

    for network in (frozen, any_size, canvas, OfNoGraph()):
        assert "peak_share" not in Speed(network, 1, 1e9).figures(10, StepTimes(1.0))
