import os
import subprocess
import sys
import textwrap

import numpy as np
import PIL.Image
import tensorflow as tf
from peak import peak_growth
from pictures import encoded
from processes import ROOT

from keras_resnet.serving.attempts import attempt, memory_for


def test_what_fails_gives_nothing(rng):
    picture = encoded(rng, 30, 40)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def pixels(picture):
        return attempt(lambda: tf.io.decode_jpeg(picture, channels=3))

    np.testing.assert_array_equal(pixels(picture), tf.io.decode_jpeg(picture))
    assert pixels(picture[:-30]).shape == (0, 0, 3)
    shape = attempt(lambda: tf.io.extract_jpeg_shape(b"\xff\xd8\xff"))
    assert shape.numpy().tolist() == [0, 0, 0]


def test_memory_that_is_there_is_not_written_to():
    with peak_growth() as growth, memory_for(tf.constant(2**31, tf.int64)):
        assert tf.constant(7).numpy() == 7
    # With oneDNN TensorFlow keeps a list of a sixteenth of the size.
    assert growth.kilobytes < 2**31 / 2**10 / 10


PROGRAM = """
import resource
import sys

import tensorflow as tf

from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.options import Limits
from keras_resnet.serving.usable_rows import usable_rows

spec = Preprocessing(24, 24, (0, 0, 0), exif_orientation=True, background=(0, 0, 0))
function = tf.function(
    lambda rows: usable_rows(rows, spec, spec, tf.zeros([24, 24, 3]), Limits()),
    input_signature=[tf.TensorSpec([None], tf.string)],
    autograph=False,
)
*large, small, damaged = (open(path, "rb").read() for path in sys.argv[1:])

def ask(*rows):
    try:
        print([status.decode() for status in function(tf.constant(rows))[2].numpy()])
    except tf.errors.ResourceExhaustedError:
        print("short of memory")

def address_space():
    (line,) = [line for line in open("/proc/self/status") if line.startswith("VmSize:")]
    return int(line.split()[1]) * 1024

ask(small, damaged)
# The pixels of a large one take 75 or 108 MB.
resource.setrlimit(resource.RLIMIT_AS, (address_space() + 50_000_000,) * 2)
for each in large:
    ask(small, each)
    ask(small, damaged)
"""


def test_a_shortage_of_memory_is_no_fault_of_a_picture(rng, tmp_path):
    large = [
        (6000, 6000, "JPEG", {}),
        (6000, 6000, "PNG", {}),
        # What their decoders ask for is no memory of TensorFlow's.
        (6000, 6000, "JPEG", {"progressive": True}),
        (5000, 5000, "WEBP", {"lossless": True}),
    ]
    flat = [PIL.Image.new("RGB", (width, height)) for height, width, *_ in large]
    paths = []
    for number, (picture, (*_, kind, options)) in enumerate(zip(flat, large, strict=True)):
        paths.append(tmp_path / f"large-{number}")
        picture.save(paths[-1], kind, **options)
    small = encoded(rng, 30, 40)
    for name, content in (("small", small), ("damaged", small[:-30])):
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    # oneDNN's allocator keeps what it has been given, and ends the process where it gets no more.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_ENABLE_ONEDNN_OPTS": "0"}
    process = subprocess.run(
        [sys.executable, tmp_path / "program.py", *paths],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
    )
    assert process.returncode == 0, process.stderr
    first, *rest = process.stdout.splitlines()
    assert first == "['OK', 'damaged']"
    assert rest == ["short of memory", "['OK', 'damaged']"] * len(large)
