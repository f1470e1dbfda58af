"""What is installed: the package and the programs, each file of the tree, and nothing else."""

import subprocess
import sys
import tarfile
import zipfile

import pytest
from processes import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A directory with the wheel and the source distribution, as they are built of git's files."""
    directory = tmp_path_factory.mktemp("wheel")
    tree = directory / "tree"
    for name in tracked("keras_resnet", "launch", "setup.py", "pyproject.toml", "README.md"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes((ROOT / name).read_bytes())
    build = "import setuptools.build_meta as b; b.build_wheel('..'); b.build_sdist('..')"
    finished = subprocess.run(
        [sys.executable, "-c", build], cwd=tree, capture_output=True, text=True, timeout=120
    )
    assert finished.returncode == 0, finished.stderr
    return directory


@pytest.fixture(scope="module")
def names(built):
    """The files of the wheel."""
    (wheel,) = built.glob("*.whl")
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


def test_the_source_distribution_holds_each_file_of_the_tree(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
    assert set(tracked("keras_resnet", "launch")) <= held


def test_no_other_name_is_installed(names):
    assert all(name.startswith("keras_resnet") for name in names)
