import re
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from processes import run_process

from keras_resnet.networks.inference import inference
from keras_resnet.process import onednn


@pytest.fixture
def network():
    """A network of two outputs."""
    images = keras.Input((8, 8, 3))
    maps = keras.layers.Conv2D(4, 3)(images)
    return keras.Model(images, {"maps": maps, "mean": keras.layers.GlobalAveragePooling2D()(maps)})


@pytest.mark.parametrize("is_slow", [False, True])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_each_picture_has_its_answer(network, rng, monkeypatch, is_slow, number):
    monkeypatch.setattr(onednn, "is_slow_for_one", lambda: is_slow)
    images = rng.normal(size=(number, 8, 8, 3)).astype(np.float32)
    infer = tf.function(inference(network))
    answers, expected = infer(images), network(images, training=False)
    for name in ("maps", "mean"):
        assert answers[name].shape == expected[name].shape
        np.testing.assert_allclose(answers[name], expected[name], atol=1e-6)


# Every way in which the package infers, with a single picture or in batches of one.
SINGLE_PICTURES = """
import pathlib, sys
import numpy as np
import PIL.Image
import keras_resnet
from keras_resnet.classification import protocols
from keras_resnet.evaluation import features
from keras_resnet.process import onednn
from keras_resnet.data.datasets import load
from keras_resnet.classification.evaluation import evaluate
from keras_resnet.paper import construction, responses
from keras_resnet.images.preprocessing import Preprocessing
from keras_resnet.serving.clients import connect

onednn.is_slow_for_one = lambda: True
root, version = map(pathlib.Path, sys.argv[1:])
for split, numbers in {"train": (0,), "val": (0, 1, 2)}.items():
    for number in numbers:
        directory = root / "pictures" / split / str(number % 2)
        directory.mkdir(parents=True, exist_ok=True)
        pixels = np.full((20, 24, 3), 50 * number, np.uint8)
        PIL.Image.fromarray(pixels).save(directory / f"{number}.png")
(root / "pictures" / "train" / "1").mkdir()
PIL.Image.fromarray(pixels).save(root / "pictures" / "train" / "1" / "1.png")
source = load(f"folder:{root}/pictures", "validation")
model = keras_resnet.CifarResNet(
    8,
    input_shape=(16, 16, 3),
    classes=2,
    preprocessing=Preprocessing(16, 18, (120.0, 120.0, 120.0)),
)
"""
WAYS = {
    "evaluation": "evaluate(model, source, 1)",
    "1-crop": "protocols.answers(model, source, '1-crop', batch_size=1)",
    "multi-scale": "protocols.answers(model, source, 'multi-scale', sides=[16], batch_size=1)",
    "features": "features.write_features(model, root / 'pictures', root / 'features.npy', 1)",
    "construction": "construction.logits(model, source, batch_size=1)",
    "responses": "responses.responses(model, source, batch_size=1)",
    "client": "connect(version).ask([(root / 'pictures/val/0/0.png').read_bytes()])",
}


def test_onednn_never_sees_a_single_picture(exported, tmp_path, monkeypatch):
    _, version = exported
    script = tmp_path / "ways.py"
    lines = [SINGLE_PICTURES]
    for name, way in WAYS.items():
        lines += [f"print('WAY {name}', flush=True)", way]
    # One picture as Keras takes it: the judge sees it.
    lines += ["print('WAY keras', flush=True)"]
    lines += ["model.predict(np.zeros((1, 16, 16, 3), np.float32), verbose=0)"]
    script.write_text(textwrap.dedent("\n".join(lines)))
    monkeypatch.setenv("ONEDNN_VERBOSE", "1")
    process = run_process(tmp_path, script, tmp_path, version)
    assert process.returncode == 0, process.stderr
    batches = {}
    for part in process.stdout.split("WAY ")[1:]:
        name, _, log = part.partition("\n")
        # oneDNN names every convolution that it computes: "... exec,cpu,convolution,...,mb2_ic3".
        sizes = re.findall(r"exec,cpu,convolution,[^\n]*,mb(\d+)_", log)
        batches[name] = set(map(int, sizes))
    assert batches.pop("keras") == {1}
    assert batches.keys() == WAYS.keys()
    for name, sizes in batches.items():
        assert sizes and min(sizes) >= 2, (name, sizes)
