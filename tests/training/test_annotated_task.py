"""What detection and segmentation have in common: each with its own pictures and network."""

import io

import numpy as np
import PIL.Image
import pytest
import segmenters

from keras_resnet.checks import UserError
from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.objects import ObjectTable
from keras_resnet.data.sources import MemorySource
from keras_resnet.detection.recipes import RECIPES as OF_DETECTION
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.layer_tree import batch_norms
from keras_resnet.segmentation.recipes import RECIPES as OF_SEGMENTATION

SMALL = {"width": 4, "shorter_side": 64, "longer_side": 64}
CONFIGS = {
    "detection": OF_DETECTION["scenes"].with_options(**SMALL),
    "segmentation": OF_SEGMENTATION["scenes"].with_options(**SMALL, crop_size=64),
}


def boxes(rng, number=3):
    pixels = rng.integers(0, 256, (number, 40, 60, 3), dtype=np.uint8)
    edges = [np.array([[2.0, 2, 30, 30]])] * number
    table = ObjectTable.of(edges, [np.array([place % 2]) for place in range(number)])
    return AnnotatedSource(MemorySource(pixels, [0] * number), table, ("cat", "dog"))


@pytest.fixture(params=CONFIGS)
def given(request, rng):
    source = boxes(rng) if request.param == "detection" else segmenters.source(rng)[0]
    config = CONFIGS[request.param]
    return config, config.task.task(config), {"train": source, "validation": source}


def test_the_mean_color_is_that_of_the_pictures(given):
    config, task, sources = given
    setup = task.setup(sources)
    task.check_setup(setup)
    preprocessing = Preprocessing.from_json(setup["preprocessing"])
    assert setup["bottleneck_stride"] is None
    assert preprocessing.exif_orientation and preprocessing.background == (255, 255, 255)
    assert (preprocessing.size, preprocessing.resize) == (64, 64)
    contents = [sources["train"].example(row)[0].numpy() for row in range(3)]
    pixels = [
        np.asarray(PIL.Image.open(io.BytesIO(each))) if isinstance(each, bytes) else each
        for each in contents
    ]
    expected = np.mean([each.mean(axis=(0, 1)) for each in pixels], axis=0)
    np.testing.assert_allclose(preprocessing.mean, expected, atol=3)


def test_the_network_has_the_classes_and_learns_its_normalizations(given):
    config, task, sources = given
    network = task.network(task.setup(sources), sources)
    assert network.class_names == sources["train"].class_names
    assert all(norm.trainable for norm in batch_norms(network))
    assert (network.canvas.shorter, network.canvas.longer) == (64, 64)
    summary = task.summary({}, sources).lines()
    assert any("cat" in line for line in summary)


def test_data_are_known_again(given):
    _, task, sources = given
    found = task.describe(sources)
    assert found["train_images"] == 3 and found["class_names"][-1] == "dog"
    assert found["train_fingerprint"] == sources["train"].fingerprint()


def test_classes_are_for_folders_of_classes():
    for config in CONFIGS.values():
        config = config.with_options(classes=("a", "b"))
        with pytest.raises(UserError, match="`classes` is for folders of pictures of one class"):
            config.task.task(config).data  # noqa: B018
