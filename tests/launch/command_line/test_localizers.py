from localizers import localizer, source

from command_line import localizers as program
from keras_resnet.data import localization_sets
from keras_resnet.data.annotated_sets import AnnotatedSplit


def test_errors_are_printed(rng, tmp_path, monkeypatch, capsys):
    localizer().save(tmp_path / "x.keras")
    pictures = source(rng)

    class Given(localization_sets.OneClassSet):
        def _open(self, split):
            return AnnotatedSplit(pictures)

    monkeypatch.setattr(localization_sets, "opened", lambda *_, **__: Given(pictures.class_names))
    program.evaluate(
        str(tmp_path / "x.keras"),
        **{"dataset": "hidden_shapes", "data_dir": None, "split": "train", "skip_corrupt": False},
        **{"batch_size": 2, "boxes": None},
    )
    first, *table = capsys.readouterr().out.splitlines()
    assert first.startswith("x.keras, one scale, hidden_shapes, train: top-1 error ")
    assert first.endswith(" on 4 images") and table[1].split()[0] == "cat"
    assert table[-1].split()[:5] == ["all,", "boxes", "around", "the", "center"]
