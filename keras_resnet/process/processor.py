"""Which processor this is: a figure about speed means nothing without it."""

import os
import pathlib
import platform

_CPU_INFO = pathlib.Path("/proc/cpuinfo")


def _cpu_info(field: str) -> str:
    """The first value of a field of /proc/cpuinfo, or nothing where there is no such file."""
    lines = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else []
    values = [line.partition(":")[2].strip() for line in lines if line.startswith(field)]
    return values[0] if values else ""


def usable_processors() -> int:
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """Number of processors that this process may use and their model, such as "2 x AMD EPYC"."""
    model = _cpu_info("model name") or platform.processor() or "unknown processor"
    return f"{usable_processors()} x {model}"


def cpu_flags() -> set[str]:
    """What the processor can do, a set of names such as "avx2"; empty where it does not say."""
    return set(_cpu_info("flags").split())


def bfloat16_instructions() -> list[str]:
    """Those of the processor that multiply bfloat16: "amx_bf16", "avx512_bf16", both or none."""
    return [name for name in ("amx_bf16", "avx512_bf16") if name in cpu_flags()]
