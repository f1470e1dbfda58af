"""What is installed: the package and the programs, each file of the tree, and nothing else."""

import subprocess
import sys
import zipfile

import pytest
from processes import ROOT


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The files of the wheel, as it is built of what git knows."""
    directory = tmp_path_factory.mktemp("wheel")
    tree = directory / "tree"
    for name in tracked("keras_resnet", "launch", "setup.py", "pyproject.toml", "README.md"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes((ROOT / name).read_bytes())
    build = "import setuptools.build_meta as b; print(b.build_wheel('..'))"
    finished = subprocess.run(
        [sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def tracked(*paths):
    """The files that git knows, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def test_the_wheel_holds_each_file_of_the_tree(names):
    expected = {
        name.replace("launch/", "keras_resnet_launch/", 1) if name.startswith("launch/") else name
        for name in tracked("keras_resnet", "launch")
    }
    installed = {name for name in names if ".dist-info/" not in name}
    assert installed == expected
    for picture in ("hidden", "scene", "star"):
        assert f"keras_resnet_launch/{picture}.jpg" in installed


def test_no_other_name_is_installed(names):
    assert all(name.startswith("keras_resnet") for name in names)
