import pytest
from processes import run_program

from command_line import training
from command_line.program import Program
from keras_resnet.checks import UserError
from keras_resnet.classification.recipes import RECIPES
from keras_resnet.runs.options import fields

CONFIG = RECIPES["imagenet"]["paper"]


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
