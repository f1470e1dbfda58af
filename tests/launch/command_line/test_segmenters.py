from segmenters import segmenter, source

from command_line import segmenters as program
from keras_resnet.data import mask_sets
from keras_resnet.data.annotated_sets import AnnotatedSplit


def test_figures_are_printed(rng, tmp_path, monkeypatch, capsys):
    segmenter().save(tmp_path / "x.keras")
    pictures, _ = source(rng)

    class Given(mask_sets.MaskSet):
        def _open(self, split):
            return AnnotatedSplit(pictures)

    monkeypatch.setattr(mask_sets, "opened", lambda *_, **__: Given(pictures.class_names))
    program.evaluate(
        str(tmp_path / "x.keras"),
        **{"dataset": "scenes", "data_dir": None, "split": "train", "skip_corrupt": False},
        **{"shorter_sides": (48,), "mirrored": True, "batch_size": 2},
    )
    first, *table = capsys.readouterr().out.splitlines()
    assert first.startswith("x.keras, scales 48, mirrored, scenes, train: mean IoU ")
    assert first.endswith(" on 3 images") and table[1].split()[0] == "background"
