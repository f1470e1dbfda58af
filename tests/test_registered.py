"""All that Keras can make of a saved config: each class survives JSON, and answers as before."""

import functools
import importlib
import inspect
import json
import pkgutil

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet.detection.network import FasterRCNN
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.localization.network import Localizer
from keras_resnet.networks import feature_pyramid, layers, resnet, stacks, variants
from keras_resnet.segmentation.network import FCN
from keras_resnet.training import schedules

SPEC = Preprocessing(8, 9, (1.0, 2.0, 1 / 3), (4.0, 5.0, 6.0))
BLOCK = {"filters": 3, "shortcut": "C", "synchronized": True, "activation": "tanh", "name": "x"}
PLATEAU = {"drops": 1, "lowest_error": 1 / 3, "waited": 1}
DEEP = {"filters": [4, 8], "input_shape": (8, 8, 3), "name": "x"}


def frozen(model):
    """The same with a part of a block that is not to be trained."""
    layers.parts(model.get_layer("conv2_1"))[0].trainable = False
    return model


# Of each class some that have between them another value than the default for each argument.
EXAMPLES = {
    layers.Convolution: [
        lambda: layers.Convolution(4, 3, strides=2, use_bias=True),
        lambda: layers.Convolution(4, 3, dilation_rate=2, dtype="float64"),
    ],
    layers.MaxPooling: [lambda: layers.MaxPooling(5, 2)],
    layers.BatchNormalization: [
        lambda: layers.BatchNormalization(momentum=0.75, epsilon=0.25, synchronized=True)
    ],
    layers.ZeroPaddedShortcut: [lambda: layers.ZeroPaddedShortcut(5, strides=2)],
    layers.ProjectionShortcut: [
        lambda: layers.ProjectionShortcut(5, strides=2, synchronized=True),
        lambda: layers.ProjectionShortcut(5, folded=True),
    ],
    layers.Activation: [functools.partial(layers.Activation, name) for name in layers.ACTIVATIONS],
    layers.BottleneckBlock: [
        lambda: layers.BottleneckBlock(**BLOCK, strides=2, bottleneck_stride="3x3"),
        lambda: layers.BottleneckBlock(**BLOCK, strides=2, subsample=False, dilation=2),
        lambda: layers.BottleneckBlock(**BLOCK, folded=True),
    ],
    **{
        block: [
            lambda block=block: block(**BLOCK, strides=2),
            lambda block=block: block(**BLOCK, strides=2, subsample=False, dilation=2),
            lambda block=block: block(**BLOCK, folded=True),
        ]
        for block in (
            layers.BasicBlock,
            variants.SingleLayerBlock,
            variants.InvertedBottleneckBlock,
            variants.OuterAdditionBlock,
            variants.SquaredShortcutBlock,
        )
    },
    stacks.BlockStack: [lambda: stacks.BlockStack(layers.BasicBlock(3, activation="tanh"), 3)],
    resnet.ResNet: [
        lambda: resnet.ResNet(
            "cifar",
            "bottleneck",
            [1, 3],
            classes=5,
            class_names=tuple("abcde"),
            classifier_activation=None,
            shortcut="C",
            bottleneck_stride="3x3",
            activation="tanh",
            stacked=True,
            output_stride=1,
            preprocessing=SPEC,
            dtype="float64",
            **DEEP,
        ),
        lambda: frozen(
            resnet.ResNet(
                *("cifar", "basic", [1, 1]),
                include_top=False,
                pooling="max",
                synchronized=True,
                **DEEP,
            )
        ),
        lambda: resnet.ResNet("imagenet", "basic", [1, 1], folded=True, **DEEP),
    ],
    feature_pyramid.FeaturePyramid: [
        lambda: frozen(
            feature_pyramid.feature_pyramid(
                resnet.ResNet("cifar", "basic", [1, 1], preprocessing=SPEC, **DEEP)
            )
        )
    ],
    FasterRCNN: [
        lambda: FasterRCNN(
            resnet.ResNet("cifar", "basic", [1, 1], preprocessing=SPEC, **DEEP),
            3,
            canvas=(8, 9),
            anchor_sizes=(4,),
            anchor_ratios=(1.0, 3.0),
            region_size=2,
            pooling="max",
            rpn_channels=5,
            proposals=7,
            class_names=("a", "b", "c"),
            name="x",
        )
    ],
    FCN: [
        lambda: FCN(
            resnet.ResNet("cifar", "basic", [1, 1], preprocessing=SPEC, **DEEP),
            3,
            rates=(2,),
            output_stride=1,
            auxiliary=False,
            skip=True,
            canvas=(8, 9),
            class_names=("a", "b", "c"),
            name="x",
        )
    ],
    Localizer: [
        lambda: Localizer(
            resnet.ResNet("cifar", "basic", [1, 1], preprocessing=SPEC, **DEEP),
            3,
            canvas=(8, 9),
            anchor_sizes=(4,),
            anchor_ratios=(1.0, 3.0),
            rpn_channels=5,
            class_names=("a", "b", "c"),
            name="x",
        )
    ],
    schedules.StepSchedule: [lambda: schedules.StepSchedule(0.1, (3, 5))],
    schedules.PlateauSchedule: [lambda: schedules.PlateauSchedule(0.1, 2, PLATEAU)],
    schedules.ErrorWarmup: [
        lambda over=over: schedules.ErrorWarmup(
            schedules.PlateauSchedule(0.1, 2, PLATEAU), 0.2, 0.7, {"is_over": over, "errors": [0.5]}
        )
        for over in (False, True)
    ],
}
# Becomes the `input_shape` of the config.
NOT_IN_CONFIGS = {"input_tensor"}


def defaults(cls):
    """The arguments of a class, and of those of ours that it derives from, with their defaults."""
    return {
        name: parameter.default
        for base in cls.__mro__
        if base.__module__.startswith("keras_resnet.")
        for name, parameter in inspect.signature(base.__init__).parameters.items()
        if parameter.default is not parameter.empty
    }


def test_every_registered_class_has_its_examples():
    for module in pkgutil.walk_packages(keras_resnet.__path__, "keras_resnet."):
        if module.name != "keras_resnet.serving.batches.beam":  # Needs an extra.
            importlib.import_module(module.name)
    registered = {
        name for name in keras.saving.get_custom_objects() if name.startswith("keras_resnet>")
    }
    assert registered == {keras.saving.get_registered_name(cls) for cls in EXAMPLES}


@pytest.mark.parametrize("cls", EXAMPLES, ids=lambda cls: cls.__name__)
def test_it_survives_json(cls, rng):
    originals = [make() for make in EXAMPLES[cls]]
    for name, default in defaults(cls).items():
        values = [original.get_config().get(name, default) for original in originals]
        assert name in NOT_IN_CONFIGS or any(value != default for value in values), name
    for original in originals:
        saved = json.dumps(keras.saving.serialize_keras_object(original))
        copy = keras.saving.deserialize_keras_object(json.loads(saved))
        assert type(copy) is cls
        assert json.dumps(keras.saving.serialize_keras_object(copy)) == saved
        if isinstance(original, keras.optimizers.schedules.LearningRateSchedule):
            rates, expected = (
                [float(each(step)) for step in range(8)] for each in (copy, original)
            )
            assert rates == expected
        else:
            assert_same_answers(original, copy, rng)


def assert_same_answers(original, copy, rng):
    """Layers or networks of the same weights do the same, also with their weights, in training."""
    images = rng.normal(size=(2, 8, 8, 3)).astype(np.float32)
    copy(images)
    original(images)
    for variable in original.variables:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    copy.set_weights(original.get_weights())
    for training in (False, True):
        expected = keras.tree.flatten(original(images, training=training))
        actual = keras.tree.flatten(copy(images, training=training))
        for ours, theirs in zip(actual, expected, strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(copy.variables, original.variables, strict=True):
        assert ours.trainable == theirs.trainable, theirs.path
        np.testing.assert_array_equal(ours, theirs, err_msg=theirs.path)
