import os
import subprocess

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
