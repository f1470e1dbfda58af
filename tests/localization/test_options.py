import pytest

from keras_resnet.localization.recipes import RECIPES

IMAGENET = RECIPES["imagenet"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"shorter_side": 0}, "shorter_side"),
        ({"longer_side": 200}, "longer_side"),
        ({"train_shorter_sides": (300,)}, "train_shorter_sides"),
        ({"crop": 0}, "crop"),
        ({"anchor_sizes": ()}, "anchor_sizes"),
        ({"anchors_per_image": 1}, "anchors_per_image"),
        ({"boxes": 7}, "boxes"),
    ],
)
def test_bad_values_are_named(options, name):
    with pytest.raises(ValueError, match=rf"`{name}`.* must .*Received: "):
        IMAGENET.with_options(**options)
