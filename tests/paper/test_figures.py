import collections
import re

import pytest

from keras_resnet import constructors
from keras_resnet.paper import figures


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """The networks of Table 1 have few channels, which makes them quick to build."""
    monkeypatch.setattr(constructors, "IMAGENET_WIDTH", 2)


def test_a_column_is_figure_3():
    layers, shortcuts = figures.column(constructors.ResNet34(shortcut="A"))
    # 33 convolutions and fc are the 34 layers; two poolings have no weights.
    stages = collections.Counter(layer.stage for layer in layers)
    assert stages == {1: 1, 2: 1 + 6, 3: 8, 4: 12, 5: 6, 6: 2}
    halved = [layer.text for layer in layers if layer.text.endswith("/2")]
    assert halved == ["7x7 conv, 2, /2", "3x3 max pool, /2"] + [
        f"3x3 conv, {filters}, /2" for filters in (4, 8, 16)
    ]
    # Each shortcut goes around two layers, and the next begins where it ends.
    assert [shortcut.first for shortcut in shortcuts] == list(range(2, 34, 2))
    assert all(shortcut.last == shortcut.first + 1 for shortcut in shortcuts)
    changing = [number for number, shortcut in enumerate(shortcuts) if shortcut.changes_shape]
    assert changing == [3, 7, 13]


def test_plain_nets_have_no_shortcuts():
    layers, shortcuts = figures.column(constructors.PlainNet34())
    assert (len(layers), shortcuts) == (36, [])


def test_networks_are_drawn_with_text_that_can_be_searched(tmp_path):
    figures.draw_networks(tmp_path / "networks.svg")
    texts = re.findall(r"<text [^>]*>([^<]*)</text>", (tmp_path / "networks.svg").read_text())
    # Of two columns; the blocks say that a normalization follows.
    convolutions = [text for text in texts if "x3 conv" in text and "BN" not in text]
    assert len(convolutions) == 2 * 32
    assert [text for text in texts if text.endswith("BN")] == [
        *("3x3 conv, 2; BN", "3x3 conv, 2; BN"),
        *("1x1 conv, 2; BN", "3x3 conv, 2; BN", "1x1 conv, 8; BN"),
    ]
    # Table 1's numbers of blocks.
    blocks = [int(text[1:]) for text in texts if re.fullmatch(r"x\d+", text)]
    assert blocks == [2, 3, 3, 3, 3, 2, 4, 4, 4, 8, 2, 6, 6, 23, 36, 2, 3, 3, 3, 3]
