import pytest
import surroundings
from processes import assert_user_error, run_program

from command_line import training
from command_line.program import Program
from keras_resnet.checks import UserError
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.runs.options import fields
from keras_resnet.runs.run_directory import load_evaluation, load_network
from keras_resnet.tasks import load_config

CONFIG = RECIPES["imagenet"]["paper"]


@pytest.fixture(scope="module", autouse=True)
def trainings(tmp_path_factory):
    with surroundings.of_trainings(tmp_path_factory):
        yield


def config_of(*arguments, recipes=RECIPES["imagenet"]):
    program = Program("", "", in_batches=None)
    training.define_train_flags(program, recipes)
    program.flags(["program", *arguments])
    return training.train_config(recipes, program.flags)


def test_without_flags_it_is_the_first_recipe():
    assert config_of() == CONFIG
    assert config_of("--recipe=modern") == RECIPES["imagenet"]["modern"]
    assert config_of("--weights=imagenet") == RECIPES["imagenet"]["fine_tuning"]
    # Unless a recipe is named.
    paper = config_of("--weights=imagenet", "--recipe=paper")
    assert paper == CONFIG.with_options(weights="imagenet")


def test_steps_and_epochs_replace_each_other():
    config = config_of("--train_epochs=2.5")
    assert (config.train_steps, config.train_epochs) == (None, 2.5)
    with pytest.raises(UserError, match="Exactly one of"):
        config_of("--train_epochs=2", "--train_steps=2")


def test_lists_are_integers():
    config = config_of("--learning_rate_drops=10,20", "--train_resize=256")
    assert (config.learning_rate_drops, config.task.train_resize) == ((10, 20), (256, 256))


def test_a_path_is_a_folder_that_must_be_there(tmp_path, monkeypatch):
    (tmp_path / "pets").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert config_of("--dataset=~/pets").dataset == "folder:~/pets"
    assert config_of(f"--dataset={tmp_path}/").dataset == f"folder:{tmp_path}"
    with pytest.raises(UserError, match="No directory .*absent"):
        config_of(f"--dataset=folder:{tmp_path / 'absent'}")
    assert config_of("--dataset=cifar10").dataset == "cifar10"


@pytest.mark.parametrize(
    ("dataset", "directory"),
    [
        ("folder:pets", "runs/folder-pets-resnet50"),
        ("folder:/my/pets/", "runs/pets-resnet50"),
        ("cifar10:3.0.2", "runs/cifar10-3.0.2-resnet50"),
    ],
)
def test_a_run_is_named_after_what_it_trains(dataset, directory):
    assert training._run_dir(None, CONFIG.with_options(dataset=dataset)) == directory
    assert training._run_dir("mine", CONFIG) == "mine"


def test_the_help_has_each_option_once():
    lines = run_program("imagenet", "--help").stdout.splitlines()
    shown = [line.split("=")[0].split()[0] for line in lines if line.startswith("  --")]
    for field in (*fields(CONFIG), *fields(CONFIG.task)):
        found = shown.count(f"--{field.name}") + shown.count(f"--[no]{field.name}")
        assert found == 1, field.name


def test_a_finished_run_gets_more_epochs_in_a_run_of_its_own(tmp_path, picture_folder):
    run_dir = tmp_path / "mine"
    tiny = ("--network=CifarResNet", "--depth=8", "--image_size=16", "--global_batch_size=8")
    flags = (f"--run_dir={run_dir}", f"--dataset={picture_folder}", *tiny)
    assert run_program("imagenet", *flags, "--train_epochs=1").returncode == 0
    process = run_program("imagenet", *flags, "--train_epochs=2")
    assert_user_error(process, "train_epochs=1.0 (now 2.0)", "--more_epochs=N")
    before = {path: path.stat().st_mtime_ns for path in run_dir.iterdir()}
    flags = (f"--run_dir={run_dir}", "--more_epochs=2")
    process = run_program("imagenet", *flags)
    assert process.returncode == 0, process.stderr
    assert f"2 more epochs of {run_dir}, in {run_dir}-more.\n" in process.stdout
    assert f"Beginning with the weights of {run_dir / 'model.keras'}.\n" in process.stdout
    assert {path: path.stat().st_mtime_ns for path in run_dir.iterdir()} == before
    longer = tmp_path / "mine-more"
    assert load_config(longer).weights == str(run_dir)
    assert load_evaluation(longer)["step"] == 2 * 24 / 8
    assert load_network(longer).preprocessing == load_network(run_dir).preprocessing
    assert_user_error(run_program("imagenet", *flags), f"{longer} is finished")
    (picture_folder / "train" / "vertical" / "001.jpg").unlink()
    process = run_program("imagenet", f"--run_dir={run_dir}", "--more_epochs=3")
    assert_user_error(process, "train_images was 24 and is 23.", f"--weights={run_dir}")
    assert_user_error(run_program("imagenet", "--more_epochs=2"), "Expected: --run_dir=DIRECTORY")
    process = run_program("imagenet", *flags, "--train_epochs=3")
    assert_user_error(process, "`more_epochs` says how long to train", "train_epochs=3.0")
