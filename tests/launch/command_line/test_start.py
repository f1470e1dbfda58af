"""What a person sees, and what is imported, before the work begins."""

import json
import os
import subprocess
import sys

import pytest
from processes import LAUNCH, ROOT

PROGRAMS = sorted(path.stem for path in LAUNCH.glob("[a-z]*.py"))

# A command line of each that is contradictory, or lacks something.
MISTAKES = {
    "cifar10": ["--train_epochs=1", "--train_steps=1"],
    "contact_sheet": ["--output=sheet.txt"],
    "convert_weights": ["imagenet", "x.keras"],
    "data": [],
    "demo": ["--output=/dev/null"],
    "detection": ["--proposals=0"],
    "segmentation": ["--mask_values=0,x"],
    "evaluate": [],
    "export": ["run"],
    "features": ["run", "folder"],
    "localization": ["--anchors_per_image=1"],
    "imagenet": ["--network=PlainNet", "--depth=50"],
    "paper": ["degradation", "--shortcut=A"],
    "predict": ["export"],
    "prepare_imagenet": [],
    "serve": ["nothing/is/here"],
}

SCRIPT = """
import contextlib, io, json, runpy, sys
sys.path.insert(0, sys.argv[1])
HEAVY = {"tensorflow", "keras", "numpy", "matplotlib"}
found = []
for name, arguments in json.loads(sys.argv[2]):
    sys.argv = [f"{sys.path[0]}/{name}.py", *arguments]
    output, status = io.TextIOWrapper(io.BytesIO(), write_through=True), 0
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            status = end.code
    text = output.buffer.getvalue().decode()
    found.append((name, arguments, status, text, sorted(HEAVY & set(sys.modules))))
print(json.dumps(found))
"""


def test_memory_of_gpus_is_asked_for_as_it_is_needed():
    """Before TensorFlow starts, which reads it once; here Keras is set so that it does not."""
    program = (
        "import contextlib, os\n"
        "from command_line import start\n"
        "with contextlib.suppress(start.UserError):\n"
        "    start.start(False)\n"
        "print(os.environ['TF_FORCE_GPU_ALLOW_GROWTH'])"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    environment["PYTHONPATH"] = os.pathsep.join((str(ROOT), str(LAUNCH)))
    environment.pop("TF_FORCE_GPU_ALLOW_GROWTH", None)
    finished = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60
    )
    assert finished.stdout.split() == ["true"], finished.stderr


def test_answers_need_no_tensorflow():
    """Help, version and mistakes of every program, in one process that imported nothing else."""
    assert sorted(MISTAKES) == PROGRAMS
    answers = [(["--help"], 0), (["--version"], 0), (["--xyzzy=1"], 1)]
    cases = [(name, *answer) for name in PROGRAMS for answer in answers]
    cases += [(name, arguments, 1) for name, arguments in MISTAKES.items()]
    cases += [("paper", [name, "--help"], 0) for name in ("tables", "degradation", "ablation")]
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT, LAUNCH, json.dumps([case[:2] for case in cases])],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    for (name, arguments, expected), found in zip(cases, json.loads(finished.stdout), strict=True):
        _, _, status, text, imported = found
        assert imported == [], (name, arguments)
        assert status == expected, (name, arguments, text)
        assert "Traceback" not in text
        if expected:
            assert len(text.strip().splitlines()) == 1, (name, arguments, text)


def run(tmp_path, stderr=subprocess.PIPE, **environment):
    """Runs evaluate.py on a run that is none, in an environment with these variables more."""
    (tmp_path / "none.keras").write_bytes(b"")
    return subprocess.run(
        [sys.executable, LAUNCH / "evaluate.py", tmp_path / "none.keras", "--dataset=shapes"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path), **environment},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=120,
    )


def test_a_person_sees_our_words_only(tmp_path):
    """Not those of TensorFlow and CUDA while it starts well; a terminal says that it does."""
    screen, terminal = os.openpty()
    process = run(tmp_path, stderr=terminal)
    os.close(terminal)
    seen = os.read(screen, 1 << 16).decode()
    os.close(screen)
    assert (process.returncode, process.stdout) == (1, "")
    waiting, _, said = seen.partition("\r\033[K")
    assert waiting == "Starting TensorFlow ..."
    (line,) = said.strip().splitlines()
    assert "none.keras is no .keras file" in line


@pytest.mark.parametrize("end", ["raise ImportError('no AVX')", "os.abort()"])
def test_when_tensorflow_does_not_start_its_notes_are_shown(end, tmp_path):
    """By an exception, and by a signal as on a processor that it is not made for."""
    broken = tmp_path / "broken" / "tensorflow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(
        "import os\n"
        "os.write(2, b'WARNING: All log messages before absl::InitializeLog() is called\\n')\n"
        "os.write(2, b'I0000 00:00:1 1 port.cc:153] oneDNN\\nF0000 no AVX here\\n')\n"
        f"{end}\n"
    )
    process = run(tmp_path, PYTHONPATH=f"{broken.parent}{os.pathsep}{ROOT}")
    assert process.returncode == (1 if "raise" in end else -6), process.stderr
    assert "F0000 no AVX here" in process.stderr
    assert "oneDNN" not in process.stderr
    assert "Traceback" not in process.stderr
    assert ("TensorFlow or Keras does not start: no AVX" in process.stderr) == ("raise" in end)


def test_another_framework_is_refused_in_a_sentence(tmp_path):
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras" / "keras.json").write_text('{"backend": "torch"}')
    for variables, where in (
        ({"KERAS_BACKEND": "jax"}, "set to jax (KERAS_BACKEND)"),
        ({"KERAS_HOME": str(tmp_path / ".keras")}, "set to torch"),
    ):
        process = run(tmp_path, **variables)
        assert process.returncode == 1
        (line,) = process.stderr.strip().splitlines()
        assert where in line
        assert "Set KERAS_BACKEND=tensorflow" in line
