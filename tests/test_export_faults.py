"""Exports that are killed, meet another one, or find no room, as processes: `make faults`."""

import json
import random
import subprocess
import time

import letters
import pytest
from harness import small_disk
from processes import LAUNCH, Process, run_process

from keras_resnet import files

pytestmark = pytest.mark.faults

# What stands beside the versions.
CONFIGS = {
    *("batching.config", "models.config", "monitoring.config"),
    *("compose.yaml", "kubernetes.yaml", "kubernetes-gpu.yaml"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Path of a network."""
    path = tmp_path_factory.mktemp("model") / "letters.keras"
    letters.network().save(path)
    return path


@pytest.fixture(scope="module")
def undisturbed(model, tmp_path_factory):
    """Sums of the files of an export that nothing disturbed, and the seconds that it took."""
    directory = tmp_path_factory.mktemp("undisturbed") / "letters"
    started = time.monotonic()
    finished = run_process(directory.parent, *export_of(model, directory))
    seconds = time.monotonic() - started
    assert finished.returncode == 0, finished.stderr
    return without_card(directory / "1"), seconds


def export_of(model, directory, *flags):
    return LAUNCH / "export.py", model, f"--output={directory}", *flags


def start(root, model, directory, *flags):
    path, *arguments = export_of(model, directory, *flags)
    outputs = {name: root / f"{name}-{time.monotonic_ns()}" for name in ("stdout", "stderr")}
    return Process(path, arguments, **outputs), outputs["stderr"]


def without_card(version):
    found = files.digests(version)
    found.pop("README.md")
    return found


def assert_whole(directory, expected):
    """Every version is as it should be, and its card agrees; returns their numbers in order."""
    versions = sorted((path for path in directory.iterdir() if path.name.isdigit()), key=str)
    for version in versions:
        assert without_card(version) == expected
        check = ["sha256sum", "--check", "--quiet", "README.md"]
        assert subprocess.run(check, cwd=version, stderr=subprocess.DEVNULL).returncode == 0
    return [int(version.name) for version in versions]


def test_twenty_kills_leave_no_half_version(model, undisturbed, tmp_path):
    expected, seconds = undisturbed
    directory = tmp_path / "letters"
    chance = random.Random(0)
    for number in range(20):
        is_killed = False
        while not is_killed:
            process, _ = start(tmp_path, model, directory)
            # One of each twentieth of the time, wherever it then is.
            time.sleep(seconds * (number + chance.random()) / 20)
            is_killed = process.poll() is None
            process.kill()
            process.wait(60)
            if directory.exists():
                assert_whole(directory, expected)
            if not is_killed:
                # The machine has less to do than when the time was taken.
                seconds *= 0.9
    finished = run_process(tmp_path, *export_of(model, directory))
    assert finished.returncode == 0, finished.stderr
    versions = assert_whole(directory, expected)
    assert versions == list(range(1, len(versions) + 1))
    assert {path.name for path in directory.iterdir()} == CONFIGS | set(map(str, versions))


def test_two_exports_at_once_are_two_versions(model, undisturbed, tmp_path):
    directory = tmp_path / "letters"
    started = [start(tmp_path, model, directory) for _ in range(2)]
    for process, stderr in started:
        assert process.wait(300) == 0, stderr.read_text()
    assert assert_whole(directory, undisturbed[0]) == [1, 2]
    assert {path.name for path in directory.iterdir()} == CONFIGS | {"1", "2"}


def test_of_two_exports_of_one_number_one_is_refused(model, undisturbed, tmp_path):
    directory = tmp_path / "letters"
    started = [start(tmp_path, model, directory, "--version=7") for _ in range(2)]
    statuses = [process.wait(300) for process, _ in started]
    assert sorted(statuses) == [0, 1]
    (refused,) = (started[place][1] for place in range(2) if statuses[place])
    assert "`version` must be new" in refused.read_text()
    assert "Traceback" not in refused.read_text()
    assert assert_whole(directory, undisturbed[0]) == [7]
    assert {path.name for path in directory.iterdir()} == CONFIGS | {"7"}


# Runs exports on a disk of its own, and prints of each the status, what it said and what is there.
ON_A_DISK = """
import ctypes, json, os, pathlib, sys
from processes import run_program
from keras_resnet import files

directory, model, *rooms = sys.argv[1:]
output = pathlib.Path(directory, "letters")
filling = pathlib.Path(directory, "filling")

def export(kind):
    finished = run_program("export", model, f"--output={output}")
    names = sorted(os.listdir(output)) if output.exists() else []
    print(json.dumps([kind, finished.returncode, finished.stdout + finished.stderr, names]))

def remount(flags):
    mount = ctypes.CDLL(None).mount
    assert mount(b"none", directory.encode(), b"tmpfs", 32 | flags, None) == 0

for room in map(int, rooms):
    free = os.statvfs(directory)
    filling.write_bytes(bytes(free.f_bavail * free.f_bsize - room))
    export("full")
    filling.unlink()
remount(1)
export("read-only")
remount(0)
export("free")
print(json.dumps(files.digests(output / "1")))
"""


def test_full_and_read_only_disks_leave_nothing_and_with_room_the_next_export_is_whole(
    model, undisturbed, tmp_path
):
    expected, _ = undisturbed
    disk, script = tmp_path / "disk", tmp_path / "on_a_disk.py"
    disk.mkdir()
    script.write_text(ON_A_DISK)
    # Of 0.9 MB.
    rooms = [0, 20_000, 100_000, 300_000, 600_000, 800_000]
    arguments = (script, disk, model, *rooms)
    prepare = small_disk(disk, "4m")
    finished = run_process(tmp_path, *arguments, prepare=prepare, timeout=500)
    assert finished.returncode == 0, finished.stderr
    *exports, found = map(json.loads, finished.stdout.splitlines())
    assert [kind for kind, *_ in exports] == ["full"] * len(rooms) + ["read-only", "free"]
    for kind, status, said, names in exports[:-1]:
        assert status == 1, said
        assert "Traceback" not in said
        assert ("No space left" in said or "cannot be written" in said) or kind == "read-only"
        assert "Read-only file system" in said or kind == "full"
        assert set(names) <= CONFIGS
    assert exports[-1][1] == 0, exports[-1][2]
    assert set(exports[-1][3]) == CONFIGS | {"1"}
    found.pop("README.md")
    assert found == expected
