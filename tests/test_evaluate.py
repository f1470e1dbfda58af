import keras
import numpy as np
from processes import assert_user_error, run_program

import keras_resnet
from keras_resnet.datasets import load
from keras_resnet.evaluation import Evaluator
from keras_resnet.precise_bn import set_precise_statistics
from keras_resnet.preprocessing import Preprocessing


def save_network(path, classes=2, seed=0):
    keras.utils.set_random_seed(seed)
    model = keras_resnet.CifarResNet(
        8,
        input_shape=(16, 16, 3),
        classes=classes,
        preprocessing=Preprocessing(16, 18, (120.0, 120.0, 120.0)),
    )
    model.save(path)
    return model


def test_a_model_file_is_evaluated_on_a_folder(tmp_path, picture_folder):
    model = save_network(tmp_path / "model.keras")
    dataset = f"folder:{picture_folder}"
    expected = Evaluator(model, load(dataset, "validation"), 4)()
    process = run_program("evaluate", tmp_path / "model.keras", f"--dataset={dataset}")
    assert process.returncode == 0, process.stderr
    assert process.stdout.strip().endswith(
        f"{dataset}, validation: top-1 {100 * expected['top1']:.2f}%, top-5 100.00%, "
        f"loss {expected['loss']:.4f} on 10 images"
    )


def test_networks_become_an_ensemble_once_and_for_all(tmp_path, picture_folder):
    models = [save_network(tmp_path / f"{name}.keras", seed=n) for n, name in enumerate("ab")]
    dataset = f"--dataset=folder:{picture_folder}"
    paths = [tmp_path / "a.keras", tmp_path / "b.keras"]
    process = run_program(
        "evaluate", *paths, dataset, "--protocol=10-crop", f"--scores={tmp_path / 'scores'}"
    )
    assert process.returncode == 0, process.stderr
    files = [tmp_path / "scores" / f"{name}-validation-10-crop.npz" for name in "ab"]
    lines = process.stdout.splitlines()
    assert "ensemble of 2" in lines[-1]
    again = run_program("evaluate", *files)
    assert again.stdout.splitlines()[-3:] == lines[-3:]
    # The mean of the probabilities, by NumPy.
    arrays = [np.load(file) for file in files]
    mean = (arrays[0]["probabilities"] + arrays[1]["probabilities"]) / 2
    top1 = np.mean(mean.argmax(axis=1) == arrays[0]["labels"])
    assert f"top-1 {100 * top1:.2f}%" in lines[-1]
    assert len(models) == 2
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


def test_precise_statistics_are_evaluated_and_saved(tmp_path, picture_folder):
    save_network(tmp_path / "model.keras")
    dataset = f"folder:{picture_folder}"
    process = run_program(
        "evaluate",
        tmp_path / "model.keras",
        f"--dataset={dataset}",
        "--precise_bn=20",
        "--batch_size=8",
        f"--save_model={tmp_path / 'new' / 'precise.keras'}",
    )
    assert process.returncode == 0, process.stderr
    assert "Statistics of batch normalizations: 16 training images." in process.stdout
    model = keras.saving.load_model(tmp_path / "new" / "precise.keras")
    expected = keras.saving.load_model(tmp_path / "model.keras")
    set_precise_statistics(expected, load(dataset, "train"), 20, 8)
    for ours, theirs in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    assert (
        f"loss {Evaluator(model, load(dataset, 'validation'), 4)()['loss']:.3f}" in process.stdout
    )


def test_mistakes_are_explained(tmp_path, picture_folder):
    save_network(tmp_path / "model.keras", classes=3)
    model, dataset = tmp_path / "model.keras", f"--dataset=folder:{picture_folder}"
    for arguments, message in (
        ([], "Expected MODEL"),
        ([model], "--dataset=NAME must say"),
        ([model, dataset], "3 classes and the data set 2"),
        ([model, dataset, "--protocol=5-crop"], "`protocol` must be one of"),
        ([model, dataset, "--precise_bn=-1"], "`precise_bn` must be an integer"),
        ([model, dataset, "--save_model=a.keras"], "for one network and --precise_bn"),
        ([model, "--precise_bn=9", f"--save_model={model}"], "that does not exist"),
        (["missing.npz"], "MODEL does not exist. Received: missing.npz"),
        ([model, "missing", dataset], "MODEL does not exist. Received: missing"),
        ([model, dataset, "--sides=abc"], "`sides` must be integers"),
        ([__file__ + ".npz"], "MODEL does not exist"),
    ):
        assert_user_error(run_program("evaluate", *arguments), message)
