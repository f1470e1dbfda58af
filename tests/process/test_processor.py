import os
import subprocess

import pytest

from keras_resnet.process import processor


def test_the_processor_is_the_one_that_lscpu_names():
    output = subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout
    facts = dict(line.split(":", 1) for line in output.splitlines() if ":" in line)
    count, _, name = processor.processor_name().partition(" x ")
    assert name == facts["Model name"].strip()
    assert int(count) == len(os.sched_getaffinity(0))
    flags = facts["Flags"].split()
    for instruction in ("amx_bf16", "avx512_bf16"):
        assert (instruction in processor.bfloat16_instructions()) == (instruction in flags)


@pytest.mark.parametrize(
    ("flags", "dtype", "per_cycle"),
    [
        ("fpu sse2 avx2 fma", "float32", 32),
        ("fpu sse2 avx2 fma", "mixed_bfloat16", 32),
        ("fpu sse2 avx2 fma", "float64", 16),
        ("fma avx512f", "float32", 64),
        ("fma avx512f avx512_bf16", "mixed_bfloat16", 128),
        ("fma avx512f avx512_bf16 amx_bf16", "mixed_bfloat16", 2048),
    ],
)
def test_the_peak_is_that_of_the_widest_instructions(
    tmp_path, monkeypatch, flags, dtype, per_cycle
):
    info = tmp_path / "cpuinfo"
    info.write_text(f"model name : A\ncpu MHz\t\t: 2500.000\nflags : {flags}\n")
    monkeypatch.setattr(processor, "_CPU_INFO", info)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    # The first two are one core.
    for number, cores in enumerate(("0-1", "0-1", "2-3")):
        path = tmp_path / f"cpu{number}" / "topology" / "core_cpus_list"
        path.parent.mkdir(parents=True)
        path.write_text(cores)
    monkeypatch.setattr(processor, "_CORES", tmp_path)
    assert processor.peak_operations(dtype) == 2 * 2.5e9 * per_cycle
    info.write_text(f"model name : A\nflags : {flags}\n")
    assert processor.peak_operations(dtype) is None
