import numpy as np
import tensorflow as tf

from keras_resnet.localization.per_class import PerClass


def test_each_class_has_its_columns_of_the_kernel(rng):
    layer = PerClass(4, 3)
    layer.build((None, None, 5))
    layer.kernel.assign(rng.normal(size=(5, 12)))
    layer.bias.assign(rng.normal(size=12))
    inputs = rng.normal(size=(2, 7, 5)).astype(np.float32)
    asked = [[3, 0], [1, 1]]
    whole = inputs @ layer.kernel.numpy() + layer.bias.numpy()
    found = layer(inputs, tf.constant(asked))
    for picture, classes in enumerate(asked):
        for place, number in enumerate(classes):
            expected = whole[picture, :, 3 * number : 3 * number + 3]
            np.testing.assert_allclose(found[picture, place], expected, rtol=1e-5, atol=1e-6)


def test_only_the_classes_that_are_asked_for_learn(rng):
    layer = PerClass(4, 3)
    layer.build((None, None, 5))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(
            layer(rng.normal(size=(2, 7, 5)).astype(np.float32), tf.constant([[2], [0]]))
        )
    for gradient in tape.gradient(loss, [layer.kernel.value, layer.bias.value]):
        of_classes = np.abs(gradient.numpy().reshape(-1, 4, 3)).sum(axis=(0, 2)) > 0
        assert of_classes.tolist() == [True, False, True, False]
