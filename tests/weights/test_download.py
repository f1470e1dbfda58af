"""Downloads from a real server on this machine, which breaks off, lies and has no room."""

import hashlib
import http.server
import os
import pathlib
import sys
import textwrap
import threading

import disk
import numpy as np
import pytest
from harness import on_small_disk

import keras_resnet
from keras_resnet import locks
from keras_resnet.weights import download
from keras_resnet.weights.download import fetched

CONTENT = np.random.default_rng(0).bytes(3_000_000)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at any path; of what is asked it sends at most `limit` bytes."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.limit = len(CONTENT)
        self.knows_parts = True
        self.status = None
        self.starts = []
        self.hosts = []
        # Not set: it keeps silent.
        self.speaks = threading.Event()
        self.speaks.set()

    def handle_error(self, *_):
        """Clients may leave before all is said."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/resnet18.pth"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        given = self.headers.get("Range", "bytes=0-")
        start = (
            int(given.removeprefix("bytes=").removesuffix("-")) if self.server.knows_parts else 0
        )
        self.server.starts.append(start)
        self.server.hosts.append(self.headers["Host"])
        if not self.server.speaks.wait(5):
            self.server.speaks.set()
        if self.server.status or start >= len(CONTENT):
            self.send_error(self.server.status or 416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : start + self.server.limit])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_file_is_fetched_once_and_verified(server, keras_home):
    path = fetched(server.url, DIGEST)
    assert path == keras_home / "keras_resnet" / "weights" / "resnet18.pth"
    assert path.read_bytes() == CONTENT
    assert fetched(server.url, DIGEST) == path
    assert server.starts == [0]
    assert [other.name for other in path.parent.iterdir()] == ["resnet18.pth"]


def test_a_file_is_kept_under_the_name_that_is_asked_for(server, tmp_path):
    """Files of two sets may have URLs of one last part."""
    path = fetched(server.url, DIGEST, tmp_path, file_name="resnet18.a1.pth")
    assert path.read_bytes() == CONTENT
    assert os.listdir(tmp_path) == [path.name] == ["resnet18.a1.pth"]


def test_a_file_is_on_the_disk_before_it_has_its_name(server, tmp_path, monkeypatch):
    calls = disk.recorded(monkeypatch)
    part, path = str(tmp_path / "resnet18.pth.part"), str(tmp_path / "resnet18.pth")
    fetched(server.url, DIGEST, tmp_path)
    assert calls == [("fsync", part, len(CONTENT)), ("rename", part, path)]


@pytest.mark.parametrize(
    ("variables", "home"), [({}, ".keras"), ({"KERAS_HOME": "~/other"}, "other")]
)
def test_files_are_kept_in_the_home_of_keras(monkeypatch, tmp_path, variables, home):
    monkeypatch.delenv("KERAS_HOME")
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    assert download.weights_directory() == tmp_path / home / "keras_resnet" / "weights"


def test_a_proxy_is_taken_from_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url.rpartition("/")[0])
    monkeypatch.setenv("no_proxy", "")
    fetched("http://weights.invalid/resnet18.pth", DIGEST, tmp_path)
    assert server.hosts == ["weights.invalid"]


def test_the_first_digits_of_a_digest_are_enough(server, tmp_path):
    assert fetched(server.url, DIGEST[:15], tmp_path).exists()


def test_a_digest_says_its_algorithm(server, tmp_path):
    digest = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
    assert fetched(server.url, digest, tmp_path).read_bytes() == CONTENT
    with pytest.raises(ValueError, match="is not the file"):
        fetched(server.url, digest.replace("md5", "sha256"), tmp_path)


def test_a_server_that_keeps_silent_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_SECONDS", 0.1)
    server.speaks.clear()
    with pytest.raises(ValueError, match="cannot be downloaded: .*timed out"):
        fetched(server.url, DIGEST, tmp_path)
    server.speaks.set()


def test_what_breaks_off_goes_on_there(server, tmp_path):
    server.limit = 1_000_000
    for _ in range(3):
        with pytest.raises(ValueError, match="Trying again resumes where it broke off"):
            fetched(server.url, DIGEST, tmp_path)
    assert not (tmp_path / "resnet18.pth").exists()
    assert fetched(server.url, DIGEST, tmp_path).read_bytes() == CONTENT
    # Of each million but for what was less than a chunk.
    whole = 1_000_000 // 2**16 * 2**16
    assert server.starts == [0, whole, 2 * whole, 3 * whole]


def test_a_server_that_knows_no_parts_begins_anew(server, tmp_path):
    (tmp_path / "resnet18.pth.part").write_bytes(b"x" * 5_000_000)
    server.knows_parts = False
    assert fetched(server.url, DIGEST, tmp_path).read_bytes() == CONTENT


def test_a_whole_part_is_only_verified(server, tmp_path):
    (tmp_path / "resnet18.pth.part").write_bytes(CONTENT)
    assert fetched(server.url, DIGEST, tmp_path).read_bytes() == CONTENT


def test_another_file_is_removed(server, tmp_path):
    (tmp_path / "resnet18.pth.part").write_bytes(b"x" * 1000)
    with pytest.raises(ValueError, match="is not the file that was published, whose digest is"):
        fetched(server.url, DIGEST, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("status", [404, 500])
def test_refusals_are_said(server, tmp_path, status):
    server.status = status
    with pytest.raises(ValueError, match=rf"cannot be downloaded: {status} .* put the file at"):
        fetched(server.url, DIGEST, tmp_path)


def test_without_a_network_it_says_where_to_put_the_file(tmp_path):
    with pytest.raises(ValueError, match=f"put the file at {tmp_path / 'x.pth'}"):
        fetched("http://127.0.0.1:1/x.pth", "sha256:00", tmp_path)


def test_two_processes_do_not_write_one_file(server, tmp_path):
    with (
        locks.lock(tmp_path / "resnet18.pth.part"),
        pytest.raises(ValueError, match="Another process downloads"),
    ):
        fetched(server.url, DIGEST, tmp_path)


FULL_DISK = """
    import sys, types
    # Its own modules alone: those of the package would import TensorFlow.
    for name, directory in (("keras_resnet", ""), ("keras_resnet.weights", "/weights")):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [sys.argv[4] + directory]
    from keras_resnet.weights.download import fetched
    try:
        fetched(sys.argv[1], sys.argv[2], sys.argv[3])
    except OSError as error:
        print("refused:", error)
"""


def test_a_full_disk_is_said(server, tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(FULL_DISK))
    small = tmp_path / "disk"
    small.mkdir()
    package = pathlib.Path(keras_resnet.__file__).parent
    command = [sys.executable, tmp_path / "program.py", server.url, DIGEST, small, package]
    process = on_small_disk(small, "1m", command)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "refused: " in process.stdout and "No space left" in process.stdout


def test_a_file_put_there_by_hand_is_verified_too(server, tmp_path):
    (tmp_path / "resnet18.pth").write_bytes(b"another")
    with pytest.raises(ValueError, match="is not the file that .* was. Remove it"):
        fetched(server.url, DIGEST, tmp_path)
    assert (tmp_path / "resnet18.pth").read_bytes() == b"another"
