import keras
from conftest import assert_user_error, run_program

import keras_resnet
from keras_resnet.datasets import load
from keras_resnet.evaluation import Evaluator
from keras_resnet.preprocessing import Preprocessing


def save_network(path, classes=2):
    keras.utils.set_random_seed(0)
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


def test_mistakes_are_explained(tmp_path, picture_folder):
    save_network(tmp_path / "model.keras", classes=3)
    model, dataset = tmp_path / "model.keras", f"--dataset=folder:{picture_folder}"
    assert_user_error(run_program("evaluate"), "Expected RUN_OR_MODEL. Received: nothing")
    assert_user_error(run_program("evaluate", model), "--dataset=NAME must say")
    assert_user_error(run_program("evaluate", model, dataset), "3 classes and the data set 2")
