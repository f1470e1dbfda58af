"""What a training runs on, in words: what is used, what is not, and what would be gained."""

import os
import pathlib
import shutil
import subprocess
import typing

import tensorflow as tf

from keras_resnet.process import onednn, processor
from keras_resnet.process.processor import processor_name

_DRIVER = pathlib.Path("/proc/driver/nvidia/version")
# The driver's own program, which is there also where there is no such file (WSL).
_SMI = "nvidia-smi"
_VISIBLE = "CUDA_VISIBLE_DEVICES"

# The first whose tensor cores have bfloat16 and TF32: Ampere.
_AMPERE = (8, 0)


# TFLOPS in bfloat16 and in float32 by TF32, without sparsity, by words of a GPU's name, the most
# exact first (NVIDIA's data sheets).
_PEAKS = {
    "H200": (989, 494),
    "H100 PCIe": (756, 378),
    "H100 NVL": (835, 417),
    "H100": (989, 494),
    "A100": (312, 156),
    "L40S": (362, 183),
    "L4": (121, 60),
    "A10": (125, 62.5),
}


class Gpu(typing.NamedTuple):
    """A GPU, by its name ("NVIDIA H100 80GB HBM3") and its compute capability, such as (9, 0)."""

    name: str
    capability: tuple[int, int]


def used_gpus(replicas: int) -> list[Gpu]:
    """The GPUs of this machine that a training uses.

    Args:
      replicas: number of replicas on this machine.
    """
    details = map(
        tf.config.experimental.get_device_details,
        tf.config.list_physical_devices("GPU")[:replicas],
    )
    return [
        Gpu(each.get("device_name", "a GPU"), each.get("compute_capability", (0, 0)))
        for each in details
    ]


def description(gpus: list[Gpu], replicas: int, dtype: str, compiled: bool) -> str:
    """A line about what a training runs on.

    Args:
      gpus: `used_gpus`.
      replicas: number of replicas on this machine.
      dtype: name of the precision.
      compiled: whether XLA compiles the steps.
    """
    with_ = ["XLA"] * compiled
    if gpus:
        where = " and ".join(
            f"{[gpu.name for gpu in gpus].count(name)} x {name}"
            for name in dict.fromkeys(gpu.name for gpu in gpus)
        )
        if _computes_tf32(gpus, dtype):
            with_.append("TF32 (convolutions of float32 numbers rounded to 10 bits)")
    else:
        where = processor_name() + (f" as {replicas} replicas" if replicas > 1 else "")
        with_ += ["oneDNN"] * onednn.is_on()
    return f"Training in {dtype} on {where}" + (f", with {' and '.join(with_)}." if with_ else ".")


def _computes_tf32(gpus: list[Gpu], dtype: str) -> bool:
    return (
        dtype == "float32"
        and min(gpu.capability for gpu in gpus) >= _AMPERE
        and tf.config.experimental.tensor_float_32_execution_enabled()
    )


def advice(gpus: list[Gpu], dtype: str) -> str | None:
    """What would make a training faster, or why it is not on the GPU that is here; None: nothing.

    Args:
      gpus: `used_gpus`.
      dtype: name of the precision.
    """
    if gpus:
        return _advice_on_precision(gpus, dtype)
    if not _DRIVER.exists() and shutil.which(_SMI) is None:
        return None
    visible = os.environ.get(_VISIBLE)
    if visible is not None and (visible == "" or visible.startswith("-")):
        return (
            f"An NVIDIA GPU is not used: {_VISIBLE}={visible!r} hides it. `unset {_VISIBLE}` shows "
            "all."
        )
    hidden = "" if visible is None else f"{_VISIBLE}={visible!r} may name none that is here. "
    return hidden + (
        "An NVIDIA GPU is not used, since TensorFlow finds none, or not its CUDA libraries: "
        'pip install ".[and-cuda]" (BUILD.md, "GPU"); TF_CPP_MIN_LOG_LEVEL=0 in the environment '
        "has TensorFlow say why."
    )


def _advice_on_precision(gpus: list[Gpu], dtype: str) -> str | None:
    slowest = min(gpus, key=lambda gpu: gpu.capability)
    if dtype == "float32" and slowest.capability >= _AMPERE:
        # NVIDIA's data sheets, in TFLOPS without sparsity: A100 312 and 156, H100 989 and 494.
        return (
            f"{slowest.name} has bfloat16: --dtype=mixed_bfloat16 computes convolutions at up to "
            "twice the rate of TF32, and its maps take half the memory, so a batch may be twice as "
            "large."
        )
    if dtype == "mixed_bfloat16" and (0, 0) < slowest.capability < _AMPERE:
        return f"{slowest.name} has no bfloat16: --dtype=float32 is faster there."
    return None


def peak_operations(gpus: list[Gpu], replicas: int, dtype: str) -> float | None:
    """Floating point operations per second of a replica's device at most; None: unknown.

    Args:
      gpus: `used_gpus`.
      replicas: number of replicas on this machine.
      dtype: name of the precision.
    """
    if not gpus:
        of_processor = processor.peak_operations(dtype)
        return None if of_processor is None else of_processor / replicas
    column = {"mixed_bfloat16": 0, "float32": 1}.get(dtype)
    peaks = [_peaks(gpu.name) for gpu in gpus]
    slowest = min((each for each in peaks if each is not None), default=None)
    if column is None or slowest is None or None in peaks:
        return None
    return 1e12 * slowest[column]


def _peaks(name: str) -> tuple[float, float] | None:
    """Those of a GPU of a name, such as "NVIDIA A100-SXM4-80GB"."""
    words = name.replace("-", " ").split()
    return next((peaks for key, peaks in _PEAKS.items() if {*key.split()} <= {*words}), None)


def memory_bytes(gpus: list[Gpu]) -> int | None:
    """The memory of the smallest GPU of this machine, without GPUs its own; None: unknown."""
    if not gpus:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    query = [_SMI, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=30)
        return min(int(line) for line in answer.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


# TensorFlow's allocators, XLA's, CUDA and cuDNN say it each in their words. TensorFlow's own kind
# of error will not do: too many open files are of it, too.
_SIGNS_OF_SHORTAGE = (
    *("oom when allocating", "out of memory", "out_of_memory", "alloc_failed"),
    "failed to allocate",
)


def shortage(error: tf.errors.OpError) -> str | None:
    """The line of an error of TensorFlow's that says that a device has no memory left, or None.

    Errors of graphs begin with where in the code an operation was made.
    """
    for line in str(error.message).splitlines():
        if any(sign in line.lower() for sign in _SIGNS_OF_SHORTAGE):
            return line.strip()[:300]
    return None
