import numpy as np
import PIL.Image
import pytest
from letters import make_network
from pictures import encoded

from keras_resnet.checks import UserError
from keras_resnet.weights import parity
from keras_resnet.weights.local import WeightFile


def test_pictures_become_what_the_network_sees(tmp_path, rng):
    model = make_network()
    assert parity.inputs_of(model, []) is None
    paths = [tmp_path / f"{number}.jpg" for number in range(2)]
    for path in paths:
        path.write_bytes(encoded(rng, 40, 30))
    inputs = parity.inputs_of(model, paths)
    for path, seen in zip(paths, inputs, strict=True):
        pixels = np.array(PIL.Image.open(path).convert("RGB"))
        # Decoders of JPEG may differ by rounding.
        np.testing.assert_allclose(seen, model.preprocessing(pixels), atol=3)


def test_what_cannot_be_seen_is_said(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match="a.jpg' does not decode: it is no picture"):
        parity.inputs_of(make_network(), [tmp_path / "a.jpg"])
    bare = make_network()
    bare.preprocessing = None
    with pytest.raises(UserError, match="needs a network with a preprocessing"):
        parity.inputs_of(bare, [tmp_path / "a.jpg"])


def test_our_own_weights_have_no_other_framework(tmp_path, rng):
    model = make_network()
    model.save(tmp_path / "ours.keras")
    (tmp_path / "a.jpg").write_bytes(encoded(rng, 40, 30))
    inputs = parity.inputs_of(model, [tmp_path / "a.jpg"])
    said = parity.compare(WeightFile(tmp_path / "ours.keras"), model, inputs)
    assert "no other framework" in said
