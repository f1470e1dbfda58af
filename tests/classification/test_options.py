import pytest

from keras_resnet.classification.recipes import RECIPES

CIFAR = RECIPES["cifar10"]["paper"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mean", "median"),
        ("augmentation", "blur"),
        ("image_size", 0),
        ("resize", -1),
        ("pca_color", -0.1),
        ("label_smoothing", 1.0),
        ("train_resize", (480, 256)),
        ("train_resize", (1, 2, 3)),
        ("train_resize", (0,)),
        ("train_resize", (32, 40)),
    ],
)
def test_bad_values_are_named(name, value):
    with pytest.raises(ValueError, match=f"`{name}`.* (must be|is for) .*Received: "):
        CIFAR.with_options(**{name: value})


def test_one_size_is_a_range_of_one():
    config = RECIPES["imagenet"]["paper"].with_options(train_resize=[256])
    assert config.task.train_resize == (256, 256)


def test_an_image_may_be_cropped_to_all_of_it():
    assert CIFAR.with_options(image_size=32, resize=32).task.resize == 32


def test_classes_are_made_to_count_alike_in_one_way():
    with pytest.raises(ValueError, match="both let classes count alike"):
        CIFAR.with_options(class_weights=True, balanced_sampling=True)


def test_the_crop_fits_into_the_resized_image():
    with pytest.raises(ValueError, match="`resize` must be at least `image_size`"):
        CIFAR.with_options(image_size=64, resize=32)
