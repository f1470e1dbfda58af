"""Pictures that tests make: folders of them, and files that lie about their size."""

import io
import struct
import zlib

import numpy as np
import PIL.ExifTags
import PIL.Image
import PIL.ImageOps


def striped_picture(rng, label, height, width):
    """A picture whose class shows in the direction of its stripes: 0 horizontal, 1 vertical."""
    y, x = np.mgrid[:height, :width]
    stripes = ((y if label == 0 else x) // 4 % 2)[..., np.newaxis] * rng.integers(80, 160, 3)
    noise = rng.integers(0, 40, (height, width, 3))
    return PIL.Image.fromarray((stripes + noise).astype(np.uint8))


def make_picture_folder(root, rng, numbers):
    for split, number in numbers.items():
        for label, name in enumerate(("horizontal", "vertical")):
            directory = root / split / name
            directory.mkdir(parents=True)
            for index in range(number):
                height, width = rng.integers(17, 40, 2)
                suffix = "png" if index % 4 == 0 else "jpg"
                picture = striped_picture(rng, label, height, width)
                picture.save(directory / f"{index:03}.{suffix}")
    return root


def chunk(name, content):
    """A chunk of a PNG, by the format's specification."""
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum


def png_of(width, height, before=b""):
    """A black PNG of one bit per pixel, a thousandth of its pixels' size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    compressor = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    rows = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    return b"\x89PNG\r\n\x1a\n" + before + header + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def header_of_png(rng, width, height):
    """A small PNG that says to be of another size."""

    data = encoded(rng, 8, 8, "PNG")
    chunk = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


def encoded(rng, height, width, kind="JPEG", mode="RGB", **options):
    """The bytes of a picture."""
    buffer = io.BytesIO()
    striped_picture(rng, 0, height, width).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def saved(picture, kind, **options):
    """The bytes of a file that PIL writes."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def smooth_picture(rng, mode="RGB", size=(61, 47)):
    """A smooth picture with some noise, so that resizing and JPEG have something to do."""
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    y, x = np.mgrid[: size[1], : size[0]]
    waves = [np.sin(x / (4 + c) + c) + np.cos(y / (7 - c)) for c in range(channels)]
    pixels = 128 + 50 * np.stack(waves, axis=-1) + rng.normal(0, 4, (*x.shape, channels))
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return PIL.Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode)
