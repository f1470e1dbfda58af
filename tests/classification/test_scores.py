import dataclasses
import math
import os

import numpy as np
import pytest

from keras_resnet.classification import scores


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


def test_the_fifth_counts_for_top_5_and_the_sixth_does_not():
    row = np.array([0.3, 0.2, 0.15, 0.12, 0.11, 0.07, 0.05], np.float32)
    found = scores.Scores("a", "set", "f", np.stack([row] * 7), np.arange(7))
    assert found.evaluation()["top1"] == pytest.approx(1 / 7)
    assert found.evaluation()["top5"] == pytest.approx(5 / 7)


def test_of_five_classes_and_fewer_there_is_no_top5(rng):
    assert ["top5" in some_scores(rng, classes=n).evaluation() for n in (2, 5, 6)] == [0, 0, 1]


def test_the_loss_of_an_impossible_class_is_finite():
    found = scores.Scores("a", "set", "f", np.float32([[1, 0], [1, 0]]), np.array([0, 1]))
    # The smallest normal number of float32 is 2 ** -126.
    assert found.evaluation()["loss"] == pytest.approx(126 * math.log(2) / 2)


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


@pytest.mark.parametrize("place", [1, 2])
def test_members_must_have_seen_the_same_images(rng, place):
    first = some_scores(rng)
    alike = dataclasses.replace(first, title="b")
    for change in (
        {"fingerprint": "g"},
        {"labels": np.roll(first.labels, 1)},
        {"probabilities": first.probabilities[:, :11]},
        {"probabilities": first.probabilities[1:], "labels": first.labels[1:]},
    ):
        members = [first, alike]
        members.insert(place, dataclasses.replace(first, title="other", **change))
        with pytest.raises(ValueError, match="must be of scores for the same images.* and other"):
            scores.ensemble(members)


class Traitor:
    """An object whose pickle makes a directory."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_what_a_file_pickles_is_not_run(rng, tmp_path):
    fields = dataclasses.asdict(some_scores(rng))
    title = np.array([Traitor(tmp_path / "made")], object)
    np.savez(tmp_path / "a.npz", **{**fields, "title": title})
    with pytest.raises(ValueError, match="is no file of scores.*allow_pickle=False"):
        scores.load(tmp_path / "a.npz")
    assert not (tmp_path / "made").exists()


def test_other_files_are_refused(rng, tmp_path):
    fields = dataclasses.asdict(some_scores(rng))
    some_scores(rng).save(tmp_path / "good.npz")
    data = (tmp_path / "good.npz").read_bytes()
    (tmp_path / "truncated.npz").write_bytes(data[:-100])
    (tmp_path / "junk.npz").write_bytes(b"junk")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    del fields["fingerprint"]
    np.savez(tmp_path / "incomplete.npz", **fields)
    np.save(tmp_path / "array.npy", np.zeros(3))
    for name, reason in (
        ("truncated.npz", "File is not a zip file"),
        ("junk.npz", "File is not a zip file"),
        ("empty.npz", "File is not a zip file"),
        ("other.npz", "title is not a file in the archive"),
        ("incomplete.npz", "fingerprint is not a file in the archive"),
        ("array.npy", "File is not a zip file"),
    ):
        with pytest.raises(ValueError, match=f"is no file of scores, as --scores .*{reason}"):
            scores.load(tmp_path / name)
    for missing in (tmp_path / "missing.npz", tmp_path):
        with pytest.raises(ValueError, match="No file of scores at"):
            scores.load(missing)


@pytest.mark.parametrize(
    "step", [29, pytest.param(1, marks=pytest.mark.faults)], ids=["some", "all"]
)
def test_a_damaged_byte_is_noticed_or_harmless(rng, tmp_path, step):
    saved = some_scores(rng, images=6, classes=4)
    saved.save(tmp_path / "good.npz")
    data = (tmp_path / "good.npz").read_bytes()
    refused = 0
    for place in range(0, len(data), step):
        flipped = bytes([data[place] ^ 255])
        (tmp_path / "bad.npz").write_bytes(data[:place] + flipped + data[place + 1 :])
        try:
            loaded = scores.load(tmp_path / "bad.npz")
        except ValueError as error:
            assert "is no file of scores" in str(error)
            refused += 1
        else:
            # Such as the time at which a part was written.
            np.testing.assert_array_equal(loaded.probabilities, saved.probabilities)
            np.testing.assert_array_equal(loaded.labels, saved.labels)
    assert refused > len(data) / step / 2


def changed(row, column, value):
    def change(values):
        values = values.copy()
        values[row, column] = value
        return values

    return change


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("labels", lambda values: values[1:]),
        ("labels", lambda values: np.where(np.arange(30) == 7, 12, values)),
        ("labels", lambda values: np.where(np.arange(30) == 7, -1, values)),
        ("labels", lambda values: values.astype(np.float32)),
        ("labels", lambda values: values.astype(str)),
        ("probabilities", lambda values: values.astype(str)),
        ("probabilities", lambda values: values[:, :0]),
        ("probabilities", lambda values: values[0]),
        ("probabilities", changed(3, 4, -0.1)),
        ("probabilities", changed(3, 4, 1.01)),
        ("probabilities", changed(3, 4, np.inf)),
        ("probabilities", lambda values: values.astype(complex)),
    ],
)
def test_arrays_that_are_no_scores_are_refused(rng, tmp_path, name, change):
    saved = some_scores(rng)
    dataclasses.replace(saved, **{name: change(getattr(saved, name))}).save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="is no file of scores: expected"):
        scores.load(tmp_path / "a.npz")


@pytest.mark.parametrize("value", [0.0, 1.0, 1.0 + 2**-23])
def test_probabilities_may_be_rounded(rng, tmp_path, value):
    saved = some_scores(rng)
    saved.probabilities[3, 4] = value
    saved.save(tmp_path / "a.npz")
    np.testing.assert_array_equal(
        scores.load(tmp_path / "a.npz").probabilities, saved.probabilities
    )


def test_scores_of_a_network_that_diverged_are_refused(rng, tmp_path):
    saved = some_scores(rng)
    saved.probabilities[3:, 4] = np.nan
    saved.save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"of .*a\.npz must be finite.* first .* 3\."):
        scores.load(tmp_path / "a.npz")
