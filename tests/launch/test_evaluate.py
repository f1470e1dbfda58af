import shutil

import keras
import numpy as np
import pytest
from letters import make_network
from pictures import make_picture_folder
from processes import assert_user_error, run_command, run_program

from keras_resnet.classification import protocols
from keras_resnet.classification.evaluation import evaluate
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.data.datasets import load
from keras_resnet.evaluation.precise_bn import set_precise_statistics


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Paths of networks of two classes, a and b, and of one of three."""
    directory = tmp_path_factory.mktemp("networks")
    settings = {"a": {"seed": 0}, "b": {"seed": 1}, "three": {"classes": 3}}
    for name, options in settings.items():
        make_network(**options).save(directory / f"{name}.keras")
    return {name: directory / f"{name}.keras" for name in settings}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """The name of a data set of 2 x 12 training and 2 x 5 validation pictures."""
    root = tmp_path_factory.mktemp("data") / "pictures"
    return f"folder:{make_picture_folder(root, np.random.default_rng(0), {'train': 12, 'val': 5})}"


def test_a_model_file_is_evaluated_on_a_folder(networks, dataset):
    expected = evaluate(make_network(), load(dataset, "validation"), 4)
    process = run_program("evaluate", networks["a"], f"--dataset={dataset}")
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip().endswith(
        f"{dataset}, validation: top-1 {100 * expected['top1']:.2f}%, "
        f"loss {expected['loss']:.4f} on 10 images"
    )


def test_networks_become_an_ensemble_once_and_for_all(networks, tmp_path, picture_folder):
    """By the files of scores as a user starts the program."""
    dataset = f"--dataset=folder:{picture_folder}"
    paths = [networks["a"], networks["b"]]
    process = run_program(
        "evaluate", *paths, dataset, "--protocol=10-crop", f"--scores={tmp_path / 'scores'}"
    )
    assert process.returncode == 0, process.stderr
    files = [tmp_path / "scores" / f"{name}-validation-10-crop.npz" for name in "ab"]
    lines = process.stdout.splitlines()
    assert "ensemble of 2" in lines[-1]
    again = run_command("evaluate", *files)
    assert again.stdout.splitlines()[-3:] == lines[-3:]
    # The mean of the probabilities, by NumPy.
    arrays = [np.load(file) for file in files]
    mean = (arrays[0]["probabilities"] + arrays[1]["probabilities"]) / 2
    top1 = np.mean(mean.argmax(axis=1) == arrays[0]["labels"])
    assert f"top-1 {100 * top1:.2f}%" in lines[-1]
    # Of the two networks, each for itself, as TensorFlow gives their probabilities.
    assert np.abs(arrays[0]["probabilities"] - arrays[1]["probabilities"]).max() > 1e-3
    source = load(f"folder:{picture_folder}", "validation")
    expected, labels = protocols.answers(make_network(seed=1), source, "10-crop")
    np.testing.assert_allclose(arrays[1]["probabilities"], expected, atol=1e-5)
    np.testing.assert_array_equal(arrays[1]["labels"], labels)
    assert_user_error(
        run_program("evaluate", paths[0], dataset, "--protocol=10-crop", f"--scores={files[0]}"),
        "`scores` must be a directory",
    )
    assert_user_error(
        run_program(
            "evaluate", paths[0], dataset, "--protocol=10-crop", f"--scores={tmp_path / 'scores'}"
        ),
        "would be overwritten",
    )
    assert_user_error(run_program("evaluate", files[0], "--sides=16"), "--sides is for networks")
    (picture_folder / "val" / "vertical" / "000.png").unlink()
    other = tmp_path / "other"
    assert run_program("evaluate", paths[0], dataset, f"--scores={other}").returncode == 0
    assert_user_error(
        run_program("evaluate", files[0], other / "a-validation-1-crop.npz"), "for the same images"
    )


def test_precise_statistics_are_evaluated_and_saved(networks, tmp_path, dataset):
    process = run_program(
        "evaluate",
        networks["a"],
        f"--dataset={dataset}",
        "--precise_bn=20",
        "--batch_size=8",
        f"--save_model={tmp_path / 'new' / 'precise.keras'}",
    )
    assert process.returncode == 0, process.stderr
    assert "Statistics of batch normalizations: 16 training images." in process.stdout
    assert "a.keras, 1-crop, 16 images of statistics, " in process.stdout
    model = keras.saving.load_model(tmp_path / "new" / "precise.keras")
    expected = make_network()
    set_precise_statistics(expected, load(dataset, "train"), 20, 8)
    for ours, theirs in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert f"loss {evaluate(model, load(dataset, 'validation'), 4)['loss']:.3f}" in process.stdout


def test_scores_of_other_settings_have_other_names(networks, tmp_path, dataset):
    process = run_program(
        *("evaluate", networks["a"], f"--dataset={dataset}", f"--scores={tmp_path}"),
        *("--split=train", "--precise_bn=20", "--protocol=multi-scale", "--sides=16"),
    )
    assert process.returncode == 0, process.stderr
    (path,) = tmp_path.iterdir()
    assert path.name == "a-train-multi-scale-precise20.npz"
    found = np.load(path)
    assert found["title"] == "a.keras, multi-scale, 20 images of statistics"
    assert found["dataset"] == f"{dataset}, train"
    assert found["labels"].tolist() == [0] * 12 + [1] * 12


def test_a_network_in_a_run_is_evaluated_on_what_the_run_kept(networks, tmp_path, dataset):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("model", "best"):
        shutil.copy(networks["ab"[name == "best"]], run / f"{name}.keras")
    train = f"{dataset}/train"
    config = RECIPES["imagenet"]["paper"].with_options(dataset=train, validation_images=8)
    (run / "config.json").write_text(config.to_json())
    process = run_program("evaluate", run, run / "best.keras")
    assert process.returncode == 0, process.stderr
    kept = load(train, "validation", kept=8)
    lines = [line for line in process.stdout.splitlines() if "top-1" in line]
    for line, title, seed in zip(lines, ("run", "best.keras"), (0, 1), strict=False):
        expected = evaluate(make_network(seed=seed), kept, 8)
        assert line.startswith(f"{title}, 1-crop, {train}, validation: top-1 ")
        assert line.endswith(f"loss {expected['loss']:.4f} on 8 images")
    assert process.stdout.count("are kept for validation (--validation_images)") == 1
    every = run_program("evaluate", run, "--split=all", f"--dataset={train}")
    assert every.stdout.endswith("on 24 images\n"), every.stderr


def test_what_does_not_fit_is_found_before_the_first_evaluation(networks, dataset):
    process = run_program("evaluate", networks["a"], networks["three"], f"--dataset={dataset}")
    assert_user_error(process, "3 classes and the data set 2")
    assert "top-1" not in process.stdout


def test_mistakes_are_explained(networks, tmp_path, dataset):
    model, dataset = networks["three"], f"--dataset={dataset}"
    twice = f"--scores={tmp_path / 'scores'}"
    for arguments, message in (
        ([], "Expected MODEL"),
        ([model], "--dataset=NAME must say"),
        ([model, dataset], "3 classes and the data set 2"),
        ([model, dataset, "--protocol=5-crop"], "`protocol` must be one of"),
        ([model, dataset, "--split=dev"], "`split` must be one of"),
        (
            [model, dataset, "--split=test"],
            "no pictures of this split, but of train and validation",
        ),
        ([model, "--dataset=shapes", "--split=test"], "The splits of 'shapes' are train and valid"),
        ([model, dataset, "--batch_size=0"], "`batch_size` must be an integer"),
        ([model, dataset, "--precise_bn=-1"], "`precise_bn` must be an integer"),
        ([model, dataset, "--save_model=a.keras"], "for one network and --precise_bn"),
        ([model, "--precise_bn=9", f"--save_model={model}"], "that does not exist"),
        ([model, "--precise_bn=9", "--save_model=a.h5"], "must name a .keras file"),
        ([model, model, dataset, twice], "would be overwritten"),
        (["missing.npz"], "MODEL does not exist. Received: missing.npz"),
        ([model, "missing", dataset], "MODEL does not exist. Received: missing"),
        ([model, dataset, "--sides=abc"], "`sides` must be integers"),
        ([__file__ + ".npz"], "MODEL does not exist"),
    ):
        assert_user_error(run_program("evaluate", *arguments), message)
    assert list(tmp_path.iterdir()) == []
