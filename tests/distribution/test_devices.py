import os
import pathlib

import pytest
import tensorflow as tf

from keras_resnet.distribution import devices
from keras_resnet.distribution.devices import Gpu
from keras_resnet.process import onednn
from keras_resnet.process.processor import processor_name

H100, A100, V100 = Gpu("NVIDIA H100", (9, 0)), Gpu("NVIDIA A100", (8, 0)), Gpu("Tesla V100", (7, 0))


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """A machine with an NVIDIA driver, as far as the package looks."""
    path = tmp_path / "version"
    path.write_text("NVRM version: 550.54")
    monkeypatch.setattr(devices, "_DRIVER", path)


@pytest.mark.parametrize(
    ("gpus", "dtype", "compiled", "expected"),
    [
        (
            [H100],
            "float32",
            True,
            "Training in float32 on 1 x NVIDIA H100, with XLA and TF32 (convolutions of float32 "
            "numbers rounded to 10 bits).",
        ),
        ([H100, H100], "mixed_bfloat16", False, "Training in mixed_bfloat16 on 2 x NVIDIA H100."),
        (
            [A100],
            "float32",
            False,
            "Training in float32 on 1 x NVIDIA A100, with TF32 (convolutions of float32 numbers "
            "rounded to 10 bits).",
        ),
        # TF32 is a matter of both.
        (
            [H100, V100],
            "float32",
            True,
            "Training in float32 on 1 x NVIDIA H100 and 1 x Tesla V100, with XLA.",
        ),
    ],
)
def test_gpus_are_described(gpus, dtype, compiled, expected):
    assert devices.description(gpus, len(gpus), dtype, compiled) == expected


def test_tf32_that_is_off_is_not_said():
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        said = devices.description([A100], 1, "float32", False)
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(True)
    assert said == "Training in float32 on 1 x NVIDIA A100."


def test_a_processor_is_described():
    of_onednn = ["oneDNN"] * onednn.is_on()
    for replicas, parts in ((1, ""), (3, " as 3 replicas")):
        said = devices.description([], replicas, "float32", True)
        expected = f"Training in float32 on {processor_name()}{parts}, with "
        assert said == f"{expected}{' and '.join(['XLA', *of_onednn])}."


def test_what_bfloat16_would_gain_is_said_where_all_gpus_have_it():
    assert "NVIDIA A100 has bfloat16: --dtype=mixed_bf" in devices.advice([H100, A100], "float32")
    assert devices.advice([H100, V100], "float32") is None
    assert devices.advice([H100], "mixed_bfloat16") is None
    assert "Tesla V100 has no bfloat16" in devices.advice([H100, V100], "mixed_bfloat16")
    # Of what TensorFlow does not know nothing is said.
    assert devices.advice([Gpu("a GPU", (0, 0))], "mixed_bfloat16") is None


def test_a_gpu_that_is_not_used_is_named_with_the_reason(driver, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES='' hides it" in devices.advice([], "float32")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert "CUDA_VISIBLE_DEVICES='-1' hides it" in devices.advice([], "float32")
    # One that names a GPU, as Slurm's does, is hardly to blame.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    said = devices.advice([], "float32")
    assert "CUDA_VISIBLE_DEVICES='0' may name none" in said and "[and-cuda]" in said
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    said = devices.advice([], "float32")
    assert "CUDA_VISIBLE" not in said and "[and-cuda]" in said


def test_without_a_driver_there_is_nothing_to_say(tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "_DRIVER", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert devices.advice([], "float32") is None
    # Under WSL the driver has no such file, but its program.
    (tmp_path / "nvidia-smi").touch(0o755)
    assert "hides it" in devices.advice([], "float32")


def test_gpus_are_those_of_tensorflow():
    assert devices.used_gpus(1) == []


def test_gpus_are_as_many_as_replicas(monkeypatch):
    gpus = [H100, A100, V100]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: gpus)
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"device_name": gpu.name, "compute_capability": gpu.capability},
    )
    assert devices.used_gpus(2) == [H100, A100]
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: {})
    assert devices.used_gpus(1) == [("a GPU", (0, 0))]


def test_the_memory_is_that_of_the_machine_or_of_the_smallest_gpu(tmp_path, monkeypatch):
    kilobytes = int(pathlib.Path("/proc/meminfo").read_text().split()[1])
    assert devices.memory_bytes([]) == kilobytes * 1024
    # What the driver's own program prints, in MiB.
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '81559\\n40960\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert devices.memory_bytes([H100, A100]) == 40960 * 2**20
    for unable in ("exit 9", "echo '[N/A]'", "true"):
        program.write_text(f"#!/bin/sh\n{unable}\n")
        assert devices.memory_bytes([H100]) is None, unable
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    assert devices.memory_bytes([H100]) is None


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("OOM when allocating tensor with shape[256,64,112,112] and type float", True),
        ("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 123 bytes.", True),
        ("failed to allocate memory [Op:Mul]", True),
        ("CUDA_ERROR_OUT_OF_MEMORY: out of memory", True),
        ("CUDNN_STATUS_ALLOC_FAILED", True),
        ("/data/a.jpg; Too many open files", False),
        ("No space left on device", False),
    ],
)
def test_a_shortage_is_one_of_memory(message, expected):
    for kind in (tf.errors.ResourceExhaustedError, tf.errors.InternalError):
        # As of an operation in a graph.
        of_graph = f"Graph execution error:\n\nDetected at node x\n  File y\n\n{message}\n\t [[x]]"
        for text in (message, of_graph):
            said = devices.shortage(kind(None, None, text))
            assert said == (message if expected else None)


@pytest.mark.parametrize(
    ("names", "dtype", "expected"),
    [
        (["NVIDIA H100 80GB HBM3"], "mixed_bfloat16", 989e12),
        (["NVIDIA H100 80GB HBM3"], "float32", 494e12),
        (["NVIDIA H100 PCIe"], "mixed_bfloat16", 756e12),
        (["NVIDIA A100-SXM4-80GB"] * 2, "float32", 156e12),
        (["NVIDIA A100-SXM4-80GB", "NVIDIA H200"], "float32", 156e12),
        # Of other models, and in other precisions, it is not known.
        (["NVIDIA L40"], "float32", None),
        (["NVIDIA H200", "NVIDIA L40"], "float32", None),
        (["NVIDIA H100 80GB HBM3"], "float64", None),
    ],
)
def test_the_peak_of_a_gpu_is_its_data_sheets(names, dtype, expected):
    gpus = [Gpu(name, (9, 0)) for name in names]
    assert devices.peak_operations(gpus, len(gpus), dtype) == expected


def test_replicas_on_a_processor_share_its_peak():
    whole = devices.peak_operations([], 1, "float32")
    assert devices.peak_operations([], 2, "float32") == whole / 2
