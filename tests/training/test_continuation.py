import functools
import json
import pathlib

import pytest
from harness import tiny_training

from keras_resnet.checks import UserError
from keras_resnet.tasks import load_config
from keras_resnet.training.continuation import continuation, continued, is_finished

# 24 pictures, 3 steps an epoch.
CONFIG = tiny_training(warmup_epochs=1.0, schedule="cosine", zero_last_gamma=True).with_options(
    train_steps=None, train_epochs=2.0
)


@functools.cache
def data():
    """What a run on the shapes remembers of them, as JSON text."""
    task = CONFIG.task.task(CONFIG)
    return json.dumps(task.describe(task.sources()))


def leave(run_dir, config, *top1, epochs=2.0):
    """What a run leaves that was evaluated so often, the last time after so many epochs."""
    run_dir.mkdir()
    steps = [round(3 * epochs) - place for place in range(len(top1))][::-1]
    rows = [
        {"step": step, "epoch": step / 3, "split": "validation", "top1": value}
        for step, value in zip(steps, top1, strict=True)
    ]
    (run_dir / "data.json").write_text(data())
    (run_dir / "config.json").write_text(config.to_json())
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run_dir / "evaluation.json").write_text(json.dumps({"step": steps[-1]}))
    return run_dir


def more(run_dir, epochs=5.0, **options):
    return continuation(run_dir, epochs, load_config, **options)


def test_more_epochs_begin_with_the_weights_at_a_tenth_of_the_rate():
    config = continued(CONFIG, "runs/mine", 5.0, weight_decay=0.5)
    assert config == CONFIG.with_options(
        weights="runs/mine",
        train_epochs=5.0,
        learning_rate=0.01,
        warmup_epochs=0.0,
        warmup_error=0.0,
        zero_last_gamma=False,
        weight_decay=0.5,
    )
    steps = tiny_training(train_steps=100, learning_rate_drops=(50,))
    config = continued(steps, "runs/mine", 5.0)
    assert (config.train_steps, config.learning_rate_drops) == (None, None)


def test_the_first_continuation_lies_beside_its_origin(tmp_path, monkeypatch):
    run_dir = leave(tmp_path / "mine", CONFIG, 0.5, 0.6)
    assert more(run_dir) == (continued(CONFIG, str(run_dir), 5.0), tmp_path / "mine-more")
    monkeypatch.chdir(tmp_path)
    assert more(pathlib.Path("mine"))[1] == pathlib.Path("mine-more")


def test_the_same_command_resumes_and_another_begins_another(tmp_path):
    run_dir = leave(tmp_path / "mine", CONFIG, 0.5, 0.6)
    leave(tmp_path / "mine-more", more(run_dir)[0], 0.7, epochs=4)
    assert more(run_dir)[1] == tmp_path / "mine-more"
    assert more(run_dir, 6.0)[1] == tmp_path / "mine-more2"
    assert more(run_dir, seed=3)[1] == tmp_path / "mine-more2"


def test_of_a_finished_continuation_it_says_how_to_go_on(tmp_path):
    run_dir = leave(tmp_path / "mine", CONFIG, 0.5, 0.6)
    first = leave(tmp_path / "mine-more", more(run_dir)[0], 0.7, epochs=5)
    with pytest.raises(UserError, match=r"-more is finished.* --run_dir=.*mine-more --more_epochs"):
        more(run_dir)
    config, second = more(first)
    assert (second.name, config.weights, config.learning_rate) == ("mine-more2", str(first), 0.001)
    assert more(leave(second, config, 0.8, epochs=5))[1].name == "mine-more3"


def test_what_is_not_finished_is_to_be_resumed_before(tmp_path):
    run_dir = leave(tmp_path / "mine", CONFIG, 0.5, 0.6, epochs=1)
    with pytest.raises(UserError, match="mine is not finished; the same command without --more_ep"):
        more(run_dir)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="without a config.json"):
        more(tmp_path / "empty")
    with pytest.raises(UserError, match="`more_epochs` must be above 0"):
        more(run_dir, 0.0)


def test_other_data_than_those_of_the_run_are_refused_unless_they_are_asked_for(tmp_path):
    run_dir = leave(tmp_path / "mine", CONFIG, 0.5, 0.6)
    (run_dir / "data.json").write_text(data().replace("3200", "3201"))
    with pytest.raises(UserError, match="train_images was 3201 and is 3200.* --weights=.*mine"):
        more(run_dir)
    assert more(run_dir, train_images=100)[1].name == "mine-more"


def test_a_run_is_finished_where_its_patience_ended(tmp_path):
    config = CONFIG.with_options(patience=2)
    for number, (top1, finished) in enumerate(
        [((0.5, 0.6, 0.6), False), ((0.6, 0.5, 0.6), True), ((0.5, 0.4), False)]
    ):
        run_dir = leave(tmp_path / str(number), config, *top1, epochs=1)
        assert is_finished(run_dir, config) == finished
    assert not is_finished(tmp_path, config)
