"""Small segmenters and what they see, for tests."""

import io

import keras
import numpy as np
import PIL.Image

from keras_resnet.data.annotated import AnnotatedSource
from keras_resnet.data.masks import MaskTable, counted, encoded
from keras_resnet.data.sources import MemorySource
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.networks.resnet import ResNet
from keras_resnet.segmentation.network import FCN

PREPROCESSING = Preprocessing(
    32, 32, (100.0, 110.0, 120.0), exif_orientation=True, background=(255, 255, 255)
)
NAMES = ("background", "cat", "dog")


def network(**options):
    """A residual network of four stages that is made in a second."""
    options = {"classes": 8, "name": "backbone", "preprocessing": PREPROCESSING, **options}
    options.setdefault("input_shape", (32, 32, 3))
    return ResNet("imagenet", "basic", (1, 1, 1, 1), (4, 8, 8, 12), **options)


def segmenter(dtype="float32", seed=0, **options):
    """A segmenter of pictures of 48x64 pixels; its answers are not all alike."""
    keras.utils.set_random_seed(seed)
    options = {"classes": 3, "canvas": (48, 64), "class_names": NAMES, **options}
    model = FCN(network(dtype=dtype), **options)
    variables, rng = model.variables_by_name(), np.random.default_rng(seed)
    for name in model.rows_of_classes([]):
        kernel = variables[f"{name}/kernel"]
        kernel.assign(rng.normal(0, 0.05, kernel.shape))
    noise = rng.normal(0, 70, (2, 64, 64, 3)).astype(dtype_of(model))
    mean = np.mean(model.maps(noise)[0], axis=(0, 1, 2))
    # So that no class wins everywhere.
    variables["head/scores/bias"].assign(-mean)
    return model


def dtype_of(model):
    return "float64" if model.dtype == "float64" else "float32"


def source(rng, shapes=((40, 60), (70, 50), (33, 33)), classes=3):
    """Pictures of noise with masks of blocks, of which some pixels are of no class."""
    pictures, masks = [], []
    for height, width in shapes:
        pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        content = io.BytesIO()
        PIL.Image.fromarray(pixels).save(content, "PNG")
        pictures.append(content.getvalue())
        blocks = rng.choice([*range(classes), 255], (height // 8 + 1, width // 8 + 1))
        ids = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
        masks.append(np.ascontiguousarray(ids).astype(np.uint8))
    table = MaskTable.of(map(encoded, masks), map(counted, masks))
    return AnnotatedSource(MemorySource(pictures, [0] * len(pictures)), table, NAMES), masks
