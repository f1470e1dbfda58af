"""Files near good pictures of all formats: what chance makes of them, and what malice would."""

import itertools
import struct

import bombs
import hypothesis.strategies as st
import PIL.Image
from pictures import chunk, encoded, saved, smooth_picture


def samples(rng):
    """Small good pictures of all kinds that an export reads, by name."""
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    small = smooth_picture(rng, size=(14, 11))
    transparent = smooth_picture(rng, "RGBA", (9, 13))
    return {
        "PNG": encoded(rng, 12, 14, "PNG"),
        "PNG of a palette": encoded(rng, 9, 11, "PNG", "P"),
        "transparent PNG, turned": saved(transparent, "PNG", exif=turned),
        "JPEG": encoded(rng, 12, 14),
        "progressive JPEG": encoded(rng, 30, 9, progressive=True),
        "CMYK": encoded(rng, 10, 10, "JPEG", "CMYK"),
        "JPEG, turned": saved(small, "JPEG", exif=turned),
        "GIF": saved(small.convert("P"), "GIF"),
        "BMP": saved(small, "BMP"),
        "WebP": saved(small, "WEBP"),
        "lossless WebP": saved(small, "WEBP", lossless=True),
        "transparent WebP, turned": saved(transparent, "WEBP", exif=turned),
    }


def mutated(pictures):
    """A strategy of bytes near some pictures: cut, flipped, repeated, spliced, or without sense."""

    def mutate(data, other, changes, cut, kind):
        data = bytearray(data)
        for place, value in changes:
            data[place % len(data)] = value
        cut %= len(data)
        if kind == "cut":
            return bytes(data[:cut])
        if kind == "splice":
            return bytes(data[:cut]) + other[cut % len(other) :]
        if kind == "repeat":
            return bytes(data[:cut] + data[cut // 2 :])
        return bytes(data)

    change = st.tuples(st.integers(0, 2**16), st.integers(0, 255))
    near = st.builds(
        mutate,
        st.sampled_from(pictures),
        st.sampled_from(pictures),
        st.lists(change, max_size=3),
        st.integers(0, 2**16),
        st.sampled_from(["cut", "splice", "repeat", "flip"]),
    )
    start = st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\x00\x10JFIF", pictures[0][:33]]
    )
    far = st.builds(lambda start, rest: start + rest, start, st.binary(max_size=40))
    return st.one_of(near, near, far)


# Where the formats have their sides: place, number of bytes, byte order.
_SIDES = {
    "PNG": [(16, 4, "big"), (20, 4, "big")],
    "GIF": [(6, 2, "little"), (8, 2, "little")],
    "BMP": [(18, 4, "little"), (22, 4, "little"), (10, 4, "little"), (2, 4, "little")],
    "WebP": [(26, 2, "little"), (28, 2, "little"), (16, 4, "little"), (4, 4, "little")],
    "lossless WebP": [(21, 4, "little"), (16, 4, "little")],
    "transparent WebP, turned": [(24, 3, "little"), (27, 3, "little"), (16, 4, "little")],
}
_LIES = (0, 1, 2, 255, 2**14 - 1, 2**15, 2**16 - 1, 2**24 - 1, 2**31 - 1, 2**31, 2**32 - 1)


def handmade(rng):
    """More than 500 files that someone made with the formats' specifications in his hand."""
    good = samples(rng)
    files = [
        make()
        for make in (
            lambda: bombs.png_with_surplus(24, 50),
            lambda: bombs.png_with_texts(20, 5),
            lambda: bombs.png_with_texts(20, 5, b"iTXt"),
            lambda: bombs.png_with_profiles(20, 5),
            lambda: bombs.png_of_chunks(3_000),
            lambda: bombs.jpeg_of_scans(24, 101),
            lambda: bombs.jpeg_of_scans(1_000, 500),
            lambda: bombs.webp_of_codes(256, 4_096),
            lambda: bombs.gif_of_frames(50, 200),
        )
    ]
    for picture in good.values():
        # Cut in every twentieth, with zeros or another picture in place of the rest.
        for part in range(20):
            cut = len(picture) * part // 20
            files += [picture[:cut], picture[:cut] + bytes(len(picture) - cut)]
        files += [picture[:cut] + good["JPEG"] for cut in (1, 8, 20)]
        files += [picture * 3, picture[::-1], picture + picture[8:]]
    for name, sides in _SIDES.items():
        for (place, count, order), lie in itertools.product(sides, _LIES):
            if lie < 256**count:
                value = lie.to_bytes(count, order)
                files.append(good[name][:place] + value + good[name][place + count :])
    return files + _pngs(good["PNG"]) + _jpegs(good["JPEG"])


def _pngs(png):
    """With headers whose checksums are right, chunks in other orders, and sizes without sense."""
    header, rest = png[16:29], png[33:]
    files = []
    for depth, color, interlaced in itertools.product((0, 1, 16, 33), (0, 2, 3, 5, 6), (0, 1, 9)):
        content = header[:8] + bytes([depth, color, 0, 0, interlaced])
        files.append(png[:8] + chunk(b"IHDR", content) + rest)
    for side in _LIES:
        content = struct.pack(">II", side, 3) + header[8:]
        files.append(png[:8] + chunk(b"IHDR", content) + rest)
        files.append(png[:33] + side.to_bytes(4, "big") + b"IDAT" + rest)
    start = png[:33]
    return [*files, png[:8] + rest, start + png[8:33] + rest, start + png[-12:], start + rest[:-12]]


def _jpegs(jpeg):
    """With sides, numbers of colors and samples in the frame as they like, and odd markers."""
    frame = jpeg.index(b"\xff\xc0")
    files = []
    for height, width in itertools.product((0, 1, 2**15, 2**16 - 1), repeat=2):
        sides = struct.pack(">HH", height, width)
        files.append(jpeg[: frame + 5] + sides + jpeg[frame + 9 :])
    for place, value in itertools.product(range(frame, frame + 19), (0, 1, 0x44, 0xFF)):
        files.append(jpeg[:place] + bytes([value]) + jpeg[place + 1 :])
    for marker in (0x01, 0xC2, 0xC9, 0xD0, 0xD8, 0xD9, 0xDA, 0xDC, 0xDD, 0xFE, 0xFF):
        files.append(jpeg[:2] + bytes([0xFF, marker]) + jpeg[2:])
        files.append(jpeg[:-2] + bytes([0xFF, marker, 0, 4, 0, 0]) + jpeg[-2:])
    return files
