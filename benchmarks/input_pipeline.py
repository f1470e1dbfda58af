"""The whole training pipeline on records, against decoding alone and torchvision's DataLoader.

Photographs of 500x375 pixels go through TFDS's imagenet2012 into ArrayRecord files. Ours reads them
in random order and gives batches of the ImageNet recipe: scale jitter, crop, mirror, color, mean;
as stored, and turned upright by their EXIF, of which these have none.
The peer decodes the same bytes, held in memory, with tf.io.decode_jpeg and does nothing else; with
torch installed, torchvision does RandomResizedCrop and mirror on files. The aims: 0.95 of decoding
alone, and 3 times torchvision.
"""

import os
import pathlib
import statistics
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.append(str(pathlib.Path(__file__).parent.parent / "tests"))

import common
import numpy as np
import tensorflow as tf
from common import torch, torchvision
from ilsvrc import random_photographs, write_archives

from keras_resnet.classification.examples import training_example
from keras_resnet.data import batches, datasets, imagenet_archives
from keras_resnet.images.augmentation import Augmentation
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.process.memory import keep_freed_memory

IMAGES = 1500
BATCH_SIZE = 50
# Times that a function goes through the images in one round: tf.data first finds its pace.
EPOCHS = 4
ROUNDS = 5


def photographs_of_one_size(rng):
    """Cuts of photographs, resized to 500x375 and as noisy as a camera makes them."""
    import PIL.Image

    for photograph in random_photographs(rng, 200, 300):
        pixels = np.asarray(photograph.resize((500, 375), PIL.Image.Resampling.BICUBIC), float)
        noisy = np.clip(pixels + rng.normal(0, 6, pixels.shape), 0, 255)
        yield PIL.Image.fromarray(noisy.astype(np.uint8))


def decoding_alone(images):
    """A function that decodes all images, and one pixel of each for proof."""
    decoded = (
        tf.data.Dataset.from_tensor_slices(images)
        .repeat(EPOCHS)
        .map(lambda image: tf.io.decode_jpeg(image, channels=3)[0, 0, 0], tf.data.AUTOTUNE)
        .batch(BATCH_SIZE)
    )
    return lambda: consume(decoded)


def whole_pipeline(source, **as_seen):
    """A function that gives the training batches of as many images."""
    steps = EPOCHS * len(source) // BATCH_SIZE
    preprocessing = Preprocessing(224, 256, (123.68, 116.78, 103.94), **as_seen)
    augmentation = Augmentation("crop_mirror", (256, 480), 0.1)
    dataset = batches.training_batches(
        source,
        training_example(source, preprocessing, augmentation),
        seed=0,
        global_batch_size=BATCH_SIZE,
        num_replicas=1,
        first_step=0,
        last_step=steps,
    )
    return lambda: consume(dataset)


def torchvision_loader(images, directory):
    """A function that gives as many images by torchvision's usual pipeline."""
    (directory / "class").mkdir(parents=True)
    for number, image in enumerate(images):
        (directory / "class" / f"{number}.jpg").write_bytes(image)
    transforms = torchvision.transforms.Compose(
        [
            torchvision.transforms.RandomResizedCrop(224),
            torchvision.transforms.RandomHorizontalFlip(),
            torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    loader = torch.utils.data.DataLoader(
        torchvision.datasets.ImageFolder(directory, transforms),
        BATCH_SIZE,
        shuffle=True,
        num_workers=os.cpu_count(),
        persistent_workers=True,
    )
    return lambda: [consume(loader) for _ in range(EPOCHS)]


def consume(dataset):
    """Takes all elements."""
    for _ in dataset:
        pass


def main():
    """Writes the data, measures in turns, and prints medians and ratios."""
    common.print_processor()
    keep_freed_memory()  # As `train` does.
    with tempfile.TemporaryDirectory() as name:
        directory, rng = pathlib.Path(name), np.random.default_rng(0)
        photographs = photographs_of_one_size(rng)
        write_archives(directory / "source", rng, IMAGES // 3, 10, photographs)
        imagenet_archives.prepare(directory / "source", directory / "data", verify=False)
        source = datasets.load("imagenet2012", "train", directory / "data")
        images = [source.example(index)[0].numpy() for index in range(len(source))]
        print(f"{len(images)} JPEGs of {np.mean([len(i) for i in images]) / 1000:.0f} kB")
        functions = {
            "keras_resnet": whole_pipeline(
                source, exif_orientation=True, background=(255, 255, 255)
            ),
            "keras_resnet, as stored": whole_pipeline(source),
            "tf.io.decode_jpeg alone": decoding_alone(images),
        }
        if torchvision:
            functions["torchvision"] = torchvision_loader(images, directory / "files")
        seconds = common.seconds_in_turns(functions, ROUNDS)
    for name, times in seconds.items():
        rate = EPOCHS * len(images) / statistics.median(times)
        ratio = common.median_ratio(times, seconds["keras_resnet"])
        print(f"{name}: {rate:.0f} images/s; ours {ratio:.2f} x")


if __name__ == "__main__":
    main()
