"""TensorFlow's oneDNN kernels: whether this process computes with them, and when it had better.

On x86 processors without AVX512-VNNI TensorFlow leaves them off. There they make training about
twice as fast, and inference of a single picture up to 17 times as slow (docs/speed.md). TensorFlow
reads the environment once, when it is imported.
"""

import os
import sys

from keras_resnet.process import processor

VARIABLE = "TF_ENABLE_ONEDNN_OPTS"

# One of these, and TensorFlow has them on by itself (DefaultOneDnnPolicy in its util/port.cc).
_ON_BY_DEFAULT = {
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_tile",
    "amx_int8",
    "amx_bf16",
}


def _read() -> bool:
    """What TensorFlow takes from the environment; its default for the processor where nothing."""
    default = bool(_ON_BY_DEFAULT & processor.cpu_flags())
    values = {"0": False, "false": False, "1": True, "true": True}
    return values.get(os.environ.get(VARIABLE, "").lower(), default)


# When this is imported at the latest TensorFlow is, too: what is set later it does not read.
_is_on = _read()


def is_on() -> bool:
    """Whether TensorFlow computes with oneDNN in this process."""
    return _is_on


def is_left_off() -> bool:
    """Whether they would train faster, and nobody decided against them."""
    return "avx2" in processor.cpu_flags() and not _is_on and VARIABLE not in os.environ


def turn_on() -> None:
    """Has TensorFlow, when it is imported, compute with oneDNN where that trains faster.

    A setting of the user's stays as it is.
    """
    global _is_on
    if is_left_off() and "tensorflow" not in sys.modules:
        os.environ[VARIABLE] = "1"
        _is_on = True


def is_slow_for_one() -> bool:
    """Whether a single picture takes longer than two.

    TensorFlow fuses a convolution with the batch normalization after it; for a single picture
    oneDNN takes a kernel without AVX-512 that applies the normalization number by number.
    """
    flags = processor.cpu_flags()
    return _is_on and "avx2" in flags and "avx512f" not in flags
