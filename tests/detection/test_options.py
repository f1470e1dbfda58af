import pytest

from keras_resnet.detection.recipes import RECIPES

VOC = RECIPES["voc"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"shorter_side": 0}, "shorter_side"),
        ({"longer_side": 500}, "longer_side"),
        ({"shorter_side": 10**6}, "shorter_side"),
        ({"train_shorter_sides": (500, 700)}, "train_shorter_sides"),
        ({"train_shorter_sides": ()}, "train_shorter_sides"),
        ({"crop": 0}, "crop"),
        ({"crop": 1.5}, "crop"),
        ({"anchor_sizes": ()}, "anchor_sizes"),
        ({"anchor_sizes": (16, 0)}, "anchor_sizes"),
        ({"region_size": 0}, "region_size"),
        ({"pooling": "mean"}, "pooling"),
        ({"proposals": 0}, "proposals"),
        ({"proposals": 10**9}, "proposals"),
        ({"train_proposals": 10**9}, "train_proposals"),
        ({"train_proposals": 100}, "regions_per_image"),
        ({"anchors_per_image": 1}, "anchors_per_image"),
    ],
)
def test_bad_values_are_named(options, name):
    with pytest.raises(ValueError, match=rf"`{name}`.* must .*Received: "):
        VOC.with_options(**options)


def test_lists_of_a_configuration_that_was_written_are_tuples():
    config = VOC.with_options(train_shorter_sides=[480, 600], anchor_sizes=[32, 64.5])
    assert (config.task.train_shorter_sides, config.task.anchor_sizes) == ((480, 600), (32, 64.5))
