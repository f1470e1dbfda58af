import pytest
import tensorflow as tf

from keras_resnet.images.resizing import is_too_narrow, shape_after_resize


@pytest.mark.parametrize("shorter", [1, 7, 27, 256])
def test_the_longer_side_has_at_most_2_to_the_24_pixels(shorter):
    for height in (1, 3):
        # The longest that fits, by whole numbers alone.
        longest = ((2**24 + 1) * height - 1) // shorter
        assert longest * shorter // height <= 2**24 < (longest + 1) * shorter // height
        for width, expected in ((longest, False), (longest + 1, True)):
            for shape in ([height, width], [width, height]):
                assert is_too_narrow(tf.constant(shape), shorter).numpy() == expected
        found = shape_after_resize(tf.constant([height, longest]), shorter)
        assert found.numpy().tolist() == [shorter, longest * shorter // height]
        with pytest.raises(tf.errors.InvalidArgumentError, match="too narrow"):
            shape_after_resize(tf.constant([height, longest + 1]), shorter)
