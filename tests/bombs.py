"""Small files that become large when they are unpacked, made by the rules of their formats."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
from pictures import chunk, saved

START = b"\x89PNG\r\n\x1a\n"


def jpeg_of_scans(side, number, mode="L"):
    """A black progressive JPEG that goes over its last coefficients again and again."""
    jpeg = saved(PIL.Image.new(mode, (side, side)), "JPEG", progressive=True)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * (number - jpeg.count(b"\xff\xda")) + jpeg[-2:]


def jpeg_of_markers(number):
    """A small JPEG that is cut, between comments and beginnings of scans, all to be looked at."""
    jpeg = saved(PIL.Image.new("L", (24, 24)), "JPEG")
    comments = b"\xff\xfe\0\3a" * 1_500
    return jpeg[:2] + comments + jpeg[2:-10] + b"\xff\xda" * number


def png_of_rows(side, data, *chunks):
    """An RGB PNG of packed rows, with chunks before them."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return START + header + b"".join(chunks) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def black_rows(side):
    return bytes(side * (1 + 3 * side))


def png_with_surplus(side, megabytes):
    """A black PNG whose data goes on behind its last row."""
    compressor = zlib.compressobj(9)
    parts = [compressor.compress(black_rows(side))]
    parts += [compressor.compress(bytes(2**20)) for _ in range(megabytes)]
    return png_of_rows(side, b"".join(parts) + compressor.flush())


def png_with_texts(number, megabytes, name=b"zTXt"):
    """A small PNG with packed comments."""
    start = {b"zTXt": b"comment\0\0", b"iTXt": b"comment\0\1\0\0\0"}[name]
    text = chunk(name, start + zlib.compress(bytes(megabytes * 2**20), 9))
    return png_of_rows(32, zlib.compress(black_rows(32)), *[text] * number)


def png_with_profiles(number, megabytes):
    """A small PNG with color profiles, whose headers are right."""
    size = megabytes * 2**20
    header = bytearray(132)
    struct.pack_into(">I", header, 0, size)
    header[8:24] = b"\x02\x10\0\0mntrRGB XYZ "
    header[36:40] = b"acsp"
    struct.pack_into(">III", header, 68, 0xF6D6, 0x10000, 0xD32D)
    profile = b"profile\0\0" + zlib.compress(bytes(header) + bytes(size - len(header)), 9)
    return png_of_rows(32, zlib.compress(black_rows(32)), *[chunk(b"iCCP", profile)] * number)


def png_of_chunks(number):
    """A small PNG with empty comments."""
    return png_of_rows(32, zlib.compress(black_rows(32)), *[chunk(b"tEXt", b"a\0")] * number)


def webp_of_codes(side, number):
    """A black lossless WebP with a set of Huffman codes for every 4x4 pixels, up to 65,536 sets.

    Of 20 bits in the file each becomes five tables in memory.
    """
    bits = []

    def put(value, count):
        bits.extend(value >> place & 1 for place in range(count))

    def code_of_one():
        put(0b0001, 4)

    def code_of_bytes(further):
        """All bytes with 8 bits each, and further symbols with none."""
        put(0, 1)
        put(12 - 4, 4)
        # Lengths are 8 or 0, and take a bit.
        for length in (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8):
            put(length in (0, 8), 3)
        put(0, 1)
        bits.extend([1] * 256 + [0] * further)

    put(0x2F, 8)
    put(side - 1, 14)
    put(side - 1, 14)
    put(0b00000, 5)  # No alpha, version, no transformation.
    put(0b000_1_0, 5)  # No cache of colors; sets of codes for squares of 4 pixels.
    # The picture of the numbers of the sets, in its green and red.
    put(0, 1)
    code_of_bytes(24)
    code_of_bytes(0)
    for _ in range(3):
        code_of_one()
    for place in range((side // 4) ** 2):
        for byte in (place % number & 255, place % number >> 8):
            put(int(f"{byte:08b}"[::-1], 2), 8)
    for _ in range(5 * number):
        code_of_one()
    data = np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()
    data += bytes(len(data) % 2)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def png_of_exif(length):
    """A small PNG whose EXIF has entries without end."""
    exif = b"MM\0*\0\0\0\x08\xff\xff" + bytes(length)
    return png_of_rows(32, zlib.compress(black_rows(32)), chunk(b"eXIf", exif))


def gif_of_frames(side, number):
    """A GIF of equal frames."""
    frame = PIL.Image.new("P", (side, side))
    buffer = io.BytesIO()
    # Equal ones Pillow would leave out.
    frames = [PIL.Image.new("P", (side, side), index % 2) for index in range(1, number)]
    frame.save(buffer, "GIF", save_all=True, append_images=frames)
    return buffer.getvalue()
