"""What the bytes of a picture say of it before it is decoded: its format, its size and the rest.

All of it are operations of a graph, so that the export of a network has them too; few of them,
since TensorFlow looks at each for every iterator over pictures. What a header says need not be
true; what it leads to is bounded.
"""

import contextlib
import functools
import struct
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_resnet.images.limits import MAX_PIXELS

# The formats, by their numbers. Of OTHER are pictures that only Pillow reads, and all that is none.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WebP", "other")
JPEG, PNG, BMP, GIF, WEBP, OTHER = range(len(FORMATS))

# TensorFlow reads WebP from 2.20 on.
_WEBP = WEBP if hasattr(tf.raw_ops, "DecodeWebP") else OTHER

# The signature of a PNG, then length and name of its first chunk, whose width and height follow.
# Behind another first chunk the decoder would find a size that was not checked.
_PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"

# 24 bits a pixel, not compressed.
_PLAIN_BMP = b"\x18\x00\x00\x00\x00\x00"

# How pictures begin: the format's number, and bytes at places; the first that fits counts. Of OTHER
# as Pillow's readers know them.
_STARTS: tuple[tuple[int, dict[int, bytes]], ...] = (
    (JPEG, {0: b"\xff\xd8\xff"}),
    (PNG, {0: _PNG_START}),
    *((BMP, {0: b"BM", 14: struct.pack("<I", n), 28: _PLAIN_BMP}) for n in (40, 108, 124)),
    *((GIF, {0: start}) for start in (b"GIF87a", b"GIF89a")),
    *((_WEBP, {0: b"RIFF", 8: b"WEBP" + kind}) for kind in (b"VP8 ", b"VP8L", b"VP8X")),
    *((OTHER, texts) for texts in ({0: b"BM"}, {0: b"\x89PNG"}, {0: b"RIFF", 8: b"WEBP"})),
    *((OTHER, {0: start}) for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),  # TIFF
    *((OTHER, {4: b"ftyp" + brand}) for brand in (b"avif", b"avis", b"heic", b"heix", b"mif1")),
    *((OTHER, {0: start}) for start in (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),  # JPEG 2000
    *((OTHER, {0: b"P%d" % number}) for number in range(1, 7)),  # PBM, PGM, PPM
    *((OTHER, {0: start}) for start in (b"8BPS", b"\0\0\1\0", b"DDS ", b"qoif", b"icns")),
)
_NUMBERS = [*(number for number, _ in _STARTS), OTHER]
# The places of the three kinds of WebP.
_LOSSY, _LOSSLESS, _CANVAS = (
    next(place for place, (_, texts) in enumerate(_STARTS) if texts.get(8) == b"WEBP" + kind)
    for kind in (b"VP8 ", b"VP8L", b"VP8X")
)

# Height and width, and where a lossless WebP has both: place, number of bytes, "<" or ">".
_SIZES = {
    "png": ((20, 4, ">"), (16, 4, ">")),
    "bmp": ((22, 4, "<"), (18, 4, "<")),
    "gif": ((8, 2, "<"), (6, 2, "<")),
    "lossy": ((28, 2, "<"), (26, 2, "<")),
    "canvas": ((27, 3, "<"), (24, 3, "<")),
    "lossless": ((21, 4, "<"),),
}

# Steps along a GIF, each some 50 microseconds: a block for every 255 bytes of its first frame, so
# that of a megabyte is left to Pillow.
_MOST_BLOCKS = 4_000

# In which a file says what it is; more would only take memory.
_MOST_BYTES = 64 * 2**20

_LONGEST_START = 64

# Traced once, and a call in each graph.
once = functools.partial(tf.function, autograph=False)
once_for_bytes = once(input_signature=[tf.TensorSpec([], tf.string)])


def rarely(function: Callable[[], tf.Tensor]) -> Callable[[], tf.Tensor]:
    """A function for what few pictures need, as a call in a graph that costs the others nothing.

    TensorFlow would put it into the graph itself, make it ready for all, and pass over each of its
    operations for every picture that has no need of it.
    """
    if tf.executing_eagerly():
        return function
    return once(function, experimental_attributes={"_noinline": True})


def checked(
    condition: tf.Tensor, *message: tf.Tensor | str
) -> contextlib.AbstractContextManager[None]:
    """A context whose operations run only after a condition was found to hold, in any graph.

    Args:
      condition: scalar bool tensor.
      message: strings and tensors of which the error consists, a tf.errors.InvalidArgumentError.
    """
    # tf.debugging.Assert would word its error in another way outside of graphs.
    check = tf.raw_ops.Assert(condition=condition, data=message)
    return tf.control_dependencies([check])


# --- Format


def picture_format(image_bytes: tf.Tensor) -> tf.Tensor:
    """The number in `FORMATS` of the format that bytes begin as, int32 scalar."""
    return tf.gather(_NUMBERS, _kind(_start(image_bytes)))


def is_picture(image_bytes: tf.Tensor) -> tf.Tensor:
    """Whether bytes begin as a picture does that is decoded here or by Pillow, bool scalar."""
    return _kind(_start(image_bytes)) < len(_STARTS)


@once_for_bytes
def is_decodable(image_bytes: tf.Tensor) -> tf.Tensor:
    """Whether bytes begin as a picture that `decoding.decode` decodes, bool scalar.

    That are JPEGs and PNGs, BMPs of 24 bits, WebPs that are not animated, and GIFs whose first
    frame is opaque and fills the picture. Of others TensorFlow has no operation or gives other
    pixels than Pillow; an animated WebP can end the process (TensorFlow 2.21).
    """
    start = _start(image_bytes)
    is_animated = tf.equal(_kind(start), _CANVAS) & _has_bit(start[20], 2)
    return by_format(
        image_bytes,
        gif=lambda: first_gif_frame(image_bytes)[0],
        webp=lambda: ~is_animated,
        other=lambda: tf.constant(False),
        default=lambda: tf.constant(True),
    )


def is_plain(content: bytes) -> bool:
    """Whether bytes begin as a JPEG or PNG that is surely upright and opaque."""
    if content.startswith(b"\xff\xd8\xff"):
        return b"Exif" not in content
    is_opaque_png = content.startswith(_PNG_START) and content[25:26] in (b"\0", b"\2", b"\3")
    return is_opaque_png and b"tRNS" not in content and b"eXIf" not in content


def by_format(
    image_bytes: tf.Tensor, default: Callable[[], tf.Tensor], **branches: Callable[[], tf.Tensor]
) -> tf.Tensor:
    """What the function for the format of a picture gives.

    Args:
      image_bytes: scalar string tensor.
      default: function of nothing for the formats that are not named.
      **branches: others by the names in `FORMATS`, in lower case.
    """
    of_jpeg, of_png, *of_the_rest = (branches.get(name.lower(), default) for name in FORMATS)
    of_the_rest = [rarely(function) for function in of_the_rest]
    # Most pictures are JPEGs, and shall not wait for the rest.
    return tf.cond(
        tf.io.is_jpeg(image_bytes),
        of_jpeg,
        rarely(lambda: tf.switch_case(picture_format(image_bytes) - PNG, [of_png, *of_the_rest])),
    )


def _start(image_bytes: tf.Tensor) -> tf.Tensor:
    """The first bytes, uint8 [64], with zeros behind those of a shorter file."""
    return tf.io.decode_raw(image_bytes, tf.uint8, fixed_length=_LONGEST_START)


def _kind(start: tf.Tensor) -> tf.Tensor:
    """The place in `_STARTS` of what the first bytes are, behind its end for none; int64 scalar."""
    expected = np.zeros([len(_STARTS) + 1, _LONGEST_START], np.uint8)
    is_free = np.ones(expected.shape, bool)
    for row, (_, texts) in enumerate(_STARTS):
        for place, text in texts.items():
            expected[row, place : place + len(text)] = np.frombuffer(text, np.uint8)
            is_free[row, place : place + len(text)] = False
    # In a TF1 graph `==` would compare identities. The last row fits all.
    fits = tf.reduce_all(tf.equal(start, expected) | is_free, axis=1)
    return tf.argmax(tf.cast(fits, tf.int32))


def _has_bit(flags: tf.Tensor, bit: int) -> tf.Tensor:
    return tf.not_equal(tf.bitwise.bitwise_and(flags, tf.constant(bit, flags.dtype)), 0)


# --- Size


@once_for_bytes
def encoded_shape(image_bytes: tf.Tensor) -> tf.Tensor:
    """Height and width of a picture that `is_decodable`, from its header, int32 [2].

    Raises:
      tf.errors.InvalidArgumentError: it is none, or its header is damaged.
    """
    return tf.cond(
        tf.io.is_jpeg(image_bytes),
        lambda: tf.io.extract_jpeg_shape(image_bytes)[:2],
        rarely(lambda: _shape_of_start(_start(image_bytes))),
    )


def _shape_of_start(start: tf.Tensor) -> tf.Tensor:
    """Height and width that the first bytes of what is no JPEG say, int32 [2]."""
    kind = _kind(start)
    is_known = tf.not_equal(tf.gather(_NUMBERS, kind), OTHER)
    with checked(is_known, "the image is of a format that is not decoded, or lost its header"):
        png, bmp, gif, lossy, canvas, bits = tf.unstack(_header_numbers(start))
    # A BMP whose height is negative counts from the top.
    bmp = tf.where(bmp >= 2**31, 2**32 - bmp, bmp)
    lossless = tf.stack([bits[0] // 2**14 % 2**14, bits[0] % 2**14])
    of_format = {PNG: png, BMP: bmp, GIF: gif}
    of_kind = {_LOSSY: lossy % 2**14, _LOSSLESS: 1 + lossless, _CANVAS: 1 + canvas}
    shapes = [
        of_kind.get(place, of_format.get(number, png)) for place, (number, _) in enumerate(_STARTS)
    ]
    # What a header says may be more, and less than nothing for the decoder.
    return tf.cast(tf.minimum(tf.stack(shapes)[kind], np.iinfo(np.int32).max), tf.int32)


def _header_numbers(start: tf.Tensor) -> tf.Tensor:
    """The numbers of `_SIZES`, int64 [formats, 2]; where there is but one, with 0 behind it."""
    weights = np.zeros([len(_SIZES), 2, _LONGEST_START])
    for row, fields in enumerate(_SIZES.values()):
        for column, (place, count, order) in enumerate(fields):
            powers = 256.0 ** np.arange(count)
            weights[row, column, place : place + count] = powers if order == "<" else powers[::-1]
    return tf.cast(tf.linalg.matvec(weights, tf.cast(start, tf.float64)), tf.int64)


def shape_of_jpeg_or_png(image_bytes: tf.Tensor) -> tf.Tensor:
    """`encoded_shape` of a picture that must be one of these two."""

    def of_png() -> tf.Tensor:
        numbers = tf.io.decode_raw(image_bytes, tf.int32, little_endian=False, fixed_length=24)
        expected = np.frombuffer(_PNG_START, ">i4").astype(np.int32)
        is_png = tf.reduce_all(tf.equal(numbers[:4], expected))
        with checked(is_png, "the image is neither JPEG nor PNG, or lost its header"):
            return numbers[:-3:-1]

    return tf.cond(
        tf.io.is_jpeg(image_bytes), lambda: tf.io.extract_jpeg_shape(image_bytes)[:2], of_png
    )


def bounded(shape: tf.Tensor, max_pixels: tf.Tensor | None = None) -> tf.Tensor:
    """A shape, or an error where it has more pixels, int64, than that, or than `MAX_PIXELS`."""
    bound, named = (MAX_PIXELS, MAX_PIXELS) if max_pixels is None else (max_pixels, "the allowed")
    message = f"the image has more than {named} pixels; its height and width:"
    with checked(num_pixels(shape) <= bound, message, shape):
        return tf.identity(shape)


def num_pixels(shape: tf.Tensor) -> tf.Tensor:
    """Height times width, int64, which holds the largest that a header can say."""
    return tf.reduce_prod(tf.cast(shape, tf.int64))


# --- Transparency


@once_for_bytes
def has_transparency(image_bytes: tf.Tensor) -> tf.Tensor:
    """Whether a picture that `is_decodable` may have transparent pixels, bool scalar."""
    start = _start(image_bytes)
    kind, color_type = _kind(start), start[25]
    of_webp = (tf.equal(kind, _CANVAS) & _has_bit(start[20], 0x10)) | (
        tf.equal(kind, _LOSSLESS) & _has_bit(start[24], 0x10)
    )
    has_alpha = tf.equal(color_type, 4) | tf.equal(color_type, 6)
    return by_format(
        image_bytes,
        # Where the text is by chance, the pixels turn out to be opaque.
        png=lambda: has_alpha | tf.reduce_any(places_of(all_bytes(image_bytes), b"tRNS")),
        webp=lambda: of_webp,
        default=lambda: tf.constant(False),
    )


def all_bytes(image_bytes: tf.Tensor) -> tf.Tensor:
    """All bytes that are looked at, uint8 [n]."""
    return tf.io.decode_raw(tf.strings.substr(image_bytes, 0, _MOST_BYTES), tf.uint8)


def places_of(values: tf.Tensor, text: bytes) -> tf.Tensor:
    """Whether a text is at each place of uint8 [n], bool [n - len(text) + 1]."""
    count = tf.maximum(tf.size(values) - len(text) + 1, 0)
    matches = [tf.equal(values[i : i + count], byte) for i, byte in enumerate(text)]
    # Stacked and reduced they would take ten times as long.
    return functools.reduce(tf.logical_and, matches)


# --- The first frame of a GIF


@once_for_bytes
def first_gif_frame(image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether the first frame of a GIF is opaque and fills it, and a GIF of that frame alone.

    TensorFlow unpacks all frames even to give the first one, drops transparency, and lays a smaller
    frame over black.

    Returns:
      bool scalar, and string scalar.
    """
    values = tf.cast(all_bytes(image_bytes), tf.int32)
    end = tf.size(values)
    padded = tf.pad(values, [[0, _LONGEST_START]])

    def goes_on(place: tf.Tensor, within: tf.Tensor, frame: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        # An extension, or the frame.
        is_part = tf.equal(padded[place], 0x21) | tf.equal(padded[place], 0x2C)
        return (place < end) & (within | (tf.equal(frame, 0) & is_part))

    def step(
        place: tf.Tensor, within: tf.Tensor, frame: tf.Tensor, is_transparent: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        part = tf.slice(padded, [place], [10])
        is_frame = ~within & tf.equal(part[0], 0x2C)
        # Behind the frame's own colors a byte says with how many bits its blocks of pixels begin.
        to_blocks = tf.where(is_frame, 11 + _color_table(part[9]), 2)
        after = tf.minimum(place + tf.where(within, 1 + part[0], to_blocks), end)
        is_control = ~within & tf.equal(part[0], 0x21) & tf.equal(part[1], 0xF9)
        return (
            after,
            # A block of no bytes is the last one.
            ~within | tf.not_equal(part[0], 0),
            tf.where(is_frame, place, frame),
            is_transparent | (is_control & _has_bit(part[3], 1)),
        )

    first = tf.minimum(13 + _color_table(padded[10]), end)
    no = tf.constant(False)
    place, within, frame, is_transparent = tf.while_loop(
        goes_on, step, (first, no, tf.constant(0), no), maximum_iterations=_MOST_BLOCKS
    )
    # Corner, width and height of the frame, beside those of the picture.
    fills = tf.reduce_all(tf.equal(padded[frame + 1 : frame + 9], tf.pad(padded[6:10], [[4, 0]])))
    is_whole = (frame > 0) & ~within
    return is_whole & fills & ~is_transparent, tf.strings.substr(image_bytes, 0, place) + b";"


def _color_table(flags: tf.Tensor) -> tf.Tensor:
    """Length of the color table that some flags announce, in bytes, int32."""
    entries = tf.gather([2**bits for bits in range(1, 9)], flags % 8)
    return tf.where(_has_bit(flags, 0x80), 3 * entries, 0)
