import pytest

from keras_resnet.segmentation.recipes import RECIPES

VOC = RECIPES["voc"]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"shorter_side": 0}, "shorter_side"),
        ({"longer_side": 500}, "longer_side"),
        ({"crop_size": 0}, "crop_size"),
        ({"train_scales": (2.0, 0.5)}, "train_scales"),
        ({"train_scales": (0.0, 1.0)}, "train_scales"),
        ({"train_scales": (1.0,)}, "train_scales"),
        ({"head": "unet"}, "head"),
        ({"output_stride": 0}, "output_stride"),
        ({"mask_values": ("0",)}, "mask_values"),
        ({"mask_values": ("0", "x")}, "mask_values"),
        ({"ignored_values": ("300",)}, "ignored_values"),
    ],
)
def test_bad_values_are_named(options, name):
    with pytest.raises(ValueError, match=rf"`{name}`.* must .*Received: "):
        VOC.with_options(**options)


def test_values_of_masks_are_a_key():
    config = VOC.with_options(mask_values=["0", "255"])
    assert config.task.key.values == (0, 255) and config.task.key.ignored == ()
    assert VOC.task.key.ids()[255] == 255
