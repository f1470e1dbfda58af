"""Miniature archives of photographs in the layout of ImageNet's (ILSVRC 2012)."""

import hashlib
import io
import tarfile

import PIL.Image
import skimage.data

from keras_resnet.data import imagenet_archives

TRAIN, VALIDATION = "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar"

# In the original too one training image is a CMYK JPEG and one is a PNG, both called JPEG.
CMYK = "n13037406_4650.JPEG"
PNG = "n02105855_2933.JPEG"
SYNSETS = ("n01440764", "n13037406", "n02105855")


def encoded(picture, name):
    """The bytes of a file of this name in the original's format."""
    file = io.BytesIO()
    if name == PNG:
        picture.save(file, "PNG")
    else:
        picture.convert("CMYK" if name == CMYK else "RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def random_photographs(rng, low, high):
    """Endless random cuts of photographs, their sides between low and high."""
    photographs = [
        PIL.Image.fromarray(photograph())
        for photograph in (skimage.data.astronaut, skimage.data.coffee, skimage.data.chelsea)
    ]
    while True:
        photograph = photographs[rng.integers(len(photographs))]
        width, height = rng.integers(low, high, 2)
        left = rng.integers(0, photograph.width - width)
        top = rng.integers(0, photograph.height - height)
        yield photograph.crop((left, top, left + width, top + height))


def write_archives(directory, rng, train_per_class=14, validation=12, photographs=None):
    """Writes both archives, of three of ImageNet's classes; photographs are an iterator."""
    photographs = photographs or random_photographs(rng, 60, 200)
    directory.mkdir()
    with tarfile.open(directory / TRAIN, "w") as outer:
        for synset in SYNSETS:
            names = [f"{synset}_{number}.JPEG" for number in range(train_per_class)]
            names += [name for name in (CMYK, PNG) if name.startswith(synset)]
            inner_file = io.BytesIO()
            with tarfile.open(fileobj=inner_file, mode="w") as inner:
                for name in names:
                    add(inner, name, encoded(next(photographs), name))
            add(outer, f"{synset}.tar", inner_file.getvalue())
    with tarfile.open(directory / VALIDATION, "w") as tar:
        for number in rng.permutation(validation):
            name = f"ILSVRC2012_val_{number + 1:08}.JPEG"
            add(tar, name, encoded(next(photographs), name))
    return directory


def add(tar, name, content):
    """Adds a file to an archive."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def publish(source, monkeypatch, pictures=44, classes=3, validation=12):
    """Has these archives stand for the real ones, which are not to be had in a test."""
    for name, number in (("TRAIN", pictures), ("VALIDATION", validation)):
        path = source / getattr(imagenet_archives, name).name
        content = path.read_bytes()
        md5 = hashlib.md5(content).hexdigest()
        published = imagenet_archives.Published(path.name, len(content), md5, number, classes)
        monkeypatch.setattr(imagenet_archives, name, published)
