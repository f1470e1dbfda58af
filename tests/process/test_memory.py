import os
import subprocess
import sys

from keras_resnet.process import memory

# Allocates, touches and frees 16 MB many times; prints the page faults per round.
PROGRAM = """
import ctypes, resource, runpy
# The module alone: to import TensorFlow takes seconds.
if {keep}:
    runpy.run_path({path!r})["keep_freed_memory"]()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def touch():
    block = libc.malloc(2**24)
    ctypes.memset(block, 1, 2**24)
    libc.free(block)
touch()
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    touch()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10)
"""


def faults_per_round(keep):
    command = [sys.executable, "-c", PROGRAM.format(keep=keep, path=memory.__file__)]
    # glibc's own cleverness with large blocks would hide the difference.
    environment = {"MALLOC_MMAP_THRESHOLD_": "131072", "PATH": ""}
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(process.stdout)


def test_freed_memory_is_used_again_without_page_faults():
    # 16 MB are 4096 pages.
    assert faults_per_round(keep=False) > 1000
    assert faults_per_round(keep=True) < 10


def test_gpu_memory_grows_unless_the_user_decided(monkeypatch):
    name = "TF_FORCE_GPU_ALLOW_GROWTH"
    monkeypatch.setenv(name, "false")
    memory.grow_gpu_memory()
    assert os.environ[name] == "false"
    monkeypatch.delenv(name)
    memory.grow_gpu_memory()
    assert os.environ.pop(name) == "true"
