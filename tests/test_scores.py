import dataclasses

import numpy as np
import pytest

from keras_resnet import scores


def some_scores(rng, images=30, classes=12, title="a", fingerprint="f"):
    logits = rng.normal(size=(images, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = rng.integers(0, classes, images)
    return scores.Scores(title, "set", fingerprint, probabilities.astype(np.float32), labels)


def test_an_evaluation_is_that_of_numpy(rng):
    found = some_scores(rng)
    best = (-found.probabilities).argsort(axis=1)
    expected = {
        "top1": np.mean(best[:, 0] == found.labels),
        "top5": np.mean([label in row[:5] for label, row in zip(found.labels, best, strict=True)]),
        "loss": np.mean(
            [-np.log(row[n]) for row, n in zip(found.probabilities, found.labels, strict=True)]
        ),
        "images": 30,
    }
    assert found.evaluation() == pytest.approx(expected, rel=1e-6)


def test_what_is_not_a_number_is_not_right(rng):
    found = some_scores(rng)
    found.probabilities[:] = np.nan
    assert found.evaluation()["top1"] == found.evaluation()["top5"] == 0


def test_scores_come_back_from_a_file(rng, tmp_path):
    saved = some_scores(rng)
    saved.save(tmp_path / "a.npz")
    loaded = scores.load(tmp_path / "a.npz")
    for field in dataclasses.fields(scores.Scores):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(saved, field.name))
    assert loaded.evaluation() == saved.evaluation()


def test_an_ensemble_is_the_mean_of_the_probabilities(rng):
    labels = some_scores(rng).labels
    members = [dataclasses.replace(some_scores(rng, title=title), labels=labels) for title in "abc"]
    together = scores.ensemble(members)
    expected = sum(member.probabilities.astype(np.float64) for member in members) / 3
    np.testing.assert_allclose(together.probabilities, expected, rtol=1e-6)
    assert together.title == "ensemble of 3 (a; b; c)"
    assert (together.labels == members[0].labels).all()


def test_members_must_have_seen_the_same_images(rng):
    first = some_scores(rng)
    others = [some_scores(rng, fingerprint="g"), some_scores(rng, images=29)]
    others += [some_scores(rng, classes=11), some_scores(rng)]
    for other in others:
        with pytest.raises(ValueError, match="must be of scores for the same images"):
            scores.ensemble([first, other])


def test_other_files_are_refused(rng, tmp_path):
    saved = some_scores(rng)
    saved.save(tmp_path / "good.npz")
    data = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "truncated.npz").write_bytes(data[:-100])
    (tmp_path / "flipped.npz").write_bytes(data[:200] + bytes([data[200] ^ 255]) + data[201:])
    (tmp_path / "junk.npz").write_bytes(b"junk")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with open(tmp_path / "pickled.npz", "wb") as file:
        np.savez(file, title=np.array([{}], object))
    for name in ("truncated", "flipped", "junk", "empty", "other", "pickled"):
        with pytest.raises(ValueError, match="is no file of scores"):
            scores.load(tmp_path / f"{name}.npz")
    with pytest.raises(ValueError, match="No file of scores at"):
        scores.load(tmp_path / "missing.npz")
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match="is no file of scores"):
        scores.load(tmp_path / "array.npy")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", lambda values: values[1:]),
        ("labels", lambda values: values + 100),
        ("labels", lambda values: values - 1),
        ("labels", lambda values: values.astype(np.float32)),
        ("labels", lambda values: values.astype(str)),
        ("probabilities", lambda values: values.astype(str)),
        ("probabilities", lambda values: values[:, :0]),
        ("probabilities", lambda values: values[0]),
        ("probabilities", lambda values: np.log(values)),
        ("probabilities", lambda values: values.astype(complex)),
    ],
)
def test_arrays_that_are_no_scores_are_refused(rng, tmp_path, name, change):
    saved = some_scores(rng)
    dataclasses.replace(saved, **{name: change(getattr(saved, name))}).save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="is no file of scores: expected"):
        scores.load(tmp_path / "a.npz")
