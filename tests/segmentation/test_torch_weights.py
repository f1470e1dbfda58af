import pathlib

import numpy as np
import pytest
from segmenters import network

from keras_resnet.checks import UserError
from keras_resnet.segmentation.network import FCN, RATES
from keras_resnet.segmentation.torch_weights import segmenter_of
from keras_resnet.weights import names

PATH = pathlib.Path("x.pth")

# torchvision's names of the layers, as its checkpoints have them.
OF_BOTH = {
    **{"auxiliary/conv": "aux_classifier.0", "auxiliary/bn": "aux_classifier.1"},
    **{"auxiliary/scores": "aux_classifier.4", "head/scores": "classifier.4"},
}
OF_FCN = {"head/conv": "classifier.0", "head/bn": "classifier.1"}
OF_DEEPLAB = {
    **{"head/near_conv": "classifier.0.convs.0.0", "head/near_bn": "classifier.0.convs.0.1"},
    **{"head/rate12_conv": "classifier.0.convs.1.0", "head/rate12_bn": "classifier.0.convs.1.1"},
    **{"head/rate24_conv": "classifier.0.convs.2.0", "head/rate24_bn": "classifier.0.convs.2.1"},
    **{"head/rate36_conv": "classifier.0.convs.3.0", "head/rate36_bn": "classifier.0.convs.3.1"},
    "head/everywhere_conv": "classifier.0.convs.4.1",
    "head/everywhere_bn": "classifier.0.convs.4.2",
    **{"head/joined_conv": "classifier.0.project.0", "head/joined_bn": "classifier.0.project.1"},
    **{"head/conv": "classifier.1", "head/bn": "classifier.2"},
}
KINDS = {
    **{"kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"},
    **{"moving_mean": "running_mean", "moving_variance": "running_var"},
}


def of_torch(model, layers):
    """The weights of a model with torchvision's names and layouts."""
    found = {}
    for ours, variable in model.variables_by_name().items():
        value = variable.numpy()
        if ours.startswith("trunk/"):
            inside = names.to_torch({ours.removeprefix("trunk/"): value})
            found |= {f"backbone.{name}": each for name, each in inside.items()}
            continue
        layer, _, kind = ours.rpartition("/")
        if kind == "kernel":
            value = value.transpose(3, 2, 0, 1)
        found[f"{layers[layer]}.{KINDS[kind]}"] = value
    found["classifier.1.num_batches_tracked"] = np.array(7)
    return found


@pytest.mark.parametrize(("rates", "layers"), [((), OF_FCN), (RATES, OF_DEEPLAB)])
def test_a_network_is_known_by_its_weights(rng, rates, layers):
    model = FCN(network(), 21, rates=rates)
    for variable in model.variables:
        variable.assign(rng.uniform(0.1, 0.3, variable.shape))
    found = segmenter_of(of_torch(model, OF_BOTH | layers), PATH)
    assert found.class_names[15] == "person" and found.preprocessing.channels == 3
    images = rng.normal(size=(1, 40, 48, 3)).astype(np.float32)
    np.testing.assert_allclose(found(images), model(images), rtol=1e-4)


def test_what_is_no_such_network_is_named():
    values = of_torch(FCN(network(), 3), OF_BOTH | OF_FCN)
    assert segmenter_of(values, PATH).class_names is None
    with pytest.raises(UserError, match="x.pth must hold an FCN or a DeepLabV3 of torchvision"):
        segmenter_of({"conv1.weight": np.zeros(3)}, PATH)
    more = {**values, "classifier.7.weight": np.zeros(3)}
    with pytest.raises(UserError, match="'classifier.7.weight' is no weight of these networks"):
        segmenter_of(more, PATH)
    less = {name: value for name, value in values.items() if name != "classifier.0.weight"}
    with pytest.raises(UserError, match="head/conv/kernel is in one of both only"):
        segmenter_of(less, PATH)
    infinite = {**values, "classifier.4.bias": np.full(3, np.inf)}
    with pytest.raises(UserError, match="head/scores/bias is not finite"):
        segmenter_of(infinite, PATH)
