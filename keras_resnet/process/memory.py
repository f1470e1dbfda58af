"""How this process keeps its memory."""

import ctypes
import os

# Of glibc's mallopt; the third is the largest that it takes.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_LARGEST_MMAP_THRESHOLD = 2**25


def keep_freed_memory() -> None:
    """Has the C library keep freed memory for the next allocation; no effect without glibc.

    By default it gives large blocks back to the kernel, which hands them out again page by page.
    An input pipeline frees and allocates the same tens of megabytes for every batch: to keep them
    saves a tenth of its time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)


def grow_gpu_memory() -> None:
    """Has TensorFlow take memory of GPUs as it needs it, not all at once; a setting stays as it is.

    So a second process, such as an evaluation beside a training, finds room. TensorFlow reads the
    environment when it first uses a GPU.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
