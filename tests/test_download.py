"""Downloads from a real server on this machine, which breaks off, lies and has no room."""

import hashlib
import http.server
import sys
import textwrap
import threading

import numpy as np
import pytest
from harness import on_small_disk

from keras_resnet import files
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
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_file_is_fetched_once_and_verified(server, keras_home):
    path = fetched(server.url, DIGEST)
    assert path == keras_home / "keras_resnet" / "weights" / "resnet18.pth"
    assert path.read_bytes() == CONTENT
    assert fetched(server.url, DIGEST) == path
    assert server.starts == [0]
    assert [other.name for other in path.parent.iterdir()] == ["resnet18.pth"]


def test_the_first_digits_of_a_digest_are_enough(server, tmp_path):
    assert fetched(server.url, DIGEST[:15], tmp_path).exists()


def test_what_breaks_off_goes_on_there(server, tmp_path):
    server.limit = 1_000_000
    for _ in range(3):
        with pytest.raises(ValueError, match="Trying again goes on where it broke off"):
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
        files.lock(tmp_path / "resnet18.pth.part"),
        pytest.raises(ValueError, match="Another process downloads"),
    ):
        fetched(server.url, DIGEST, tmp_path)


FULL_DISK = """
    import sys
    from keras_resnet.weights.download import fetched
    try:
        fetched(sys.argv[1], sys.argv[2], sys.argv[3])
    except OSError as error:
        print("refused:", error)
"""


def test_a_full_disk_is_said(server, tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(FULL_DISK))
    disk = tmp_path / "disk"
    disk.mkdir()
    command = [sys.executable, tmp_path / "program.py", server.url, DIGEST, disk]
    process = on_small_disk(disk, "1m", command)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "refused: " in process.stdout and "No space left" in process.stdout


def test_a_file_put_there_by_hand_is_verified_too(server, tmp_path):
    (tmp_path / "resnet18.pth").write_bytes(b"another")
    with pytest.raises(ValueError, match="is not the file that .* was. Remove it"):
        fetched(server.url, DIGEST, tmp_path)
    assert (tmp_path / "resnet18.pth").read_bytes() == b"another"
