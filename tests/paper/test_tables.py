import pytest

from keras_resnet import constructors
from keras_resnet.paper import tables


def test_published_figures_are_the_papers():
    # Table 1, "FLOPs", and section 3.3.
    billions = {18: 1.8, 34: 3.6, 50: 3.8, 101: 7.6, 152: 11.3, "VGG-19": 19.6}
    assert billions == tables.PUBLISHED_BILLIONS
    # Table 6: layers, parameters in millions, error in %.
    published = {
        "ResNet": [
            (20, 0.27, "8.75"),
            (32, 0.46, "7.51"),
            (44, 0.66, "7.17"),
            (56, 0.85, "6.97"),
            (110, 1.7, "6.43 (6.61 +- 0.16)"),
            (1202, 19.4, "7.93"),
        ],
        "Maxout": [(None, None, "9.38")],
        "NIN": [(None, None, "8.81")],
        "DSN": [(None, None, "8.22")],
        "FitNet": [(19, 2.5, "8.39")],
        "Highway-19": [(19, 2.3, "7.54 (7.72 +- 0.16)")],
        "Highway-32": [(32, 1.25, "8.80")],
    }
    ours = [(depth, *figures) for depth, figures in tables.PUBLISHED_CIFAR.items()]
    assert ours == published.pop("ResNet")
    assert {name: [figures] for name, figures in tables.PUBLISHED_OTHERS.items()} == published


def test_every_variant_is_counted_once():
    variants = [
        (network, depth, arguments.get("shortcut"), arguments.get("bottleneck_stride"))
        for network, depth, arguments in tables.IMAGENET_VARIANTS
    ]
    assert len(set(variants)) == len(variants) == 2 + 2 * 3 + 3 * 3


@pytest.fixture
def few(monkeypatch):
    """Few networks of few channels; those of full size are counted in test_paper.py."""
    monkeypatch.setattr(constructors, "CIFAR_WIDTH", 2)
    monkeypatch.setattr(tables, "PUBLISHED_CIFAR", {8: (0.002, "9.99"), 14: (0.1, "8.88 (9.1)")})
    monkeypatch.setattr(tables, "PUBLISHED_OTHERS", {"Other": (19, 2.5, "8.39")})


def test_residual_networks_stand_beside_what_was_published(few):
    residual, plain, deeper, _, other = tables.cifar_rows()
    # 3x3 convolutions, their scales and offsets, and fc of 10 classes.
    parameters = 9 * (3 * 2 + 2 * 2 * 2 + 2 * 4 + 4 * 4 + 4 * 8 + 8 * 8) + 2 * (2 + 28) + 9 * 10
    cost = 9 * 32**2 * (3 * 2 + 2 * 2 * 2 + (2 * 4 + 4 * 4) / 4 + (4 * 8 + 8 * 8) / 16) + 8 * 10
    assert residual == {
        "network": "CifarResNet-8",
        "layers": 8,
        "multiply-adds": cost,
        "parameters": parameters,
        "published millions": 0.002,
        "difference %": round(100 * parameters / 2000 - 100, 2),
        "published error %": "9.99",
    }
    # No plain network is in the table.
    unpublished = dict.fromkeys(("published millions", "difference %", "published error %"))
    assert plain == {**residual, "network": "CifarPlainNet-8", **unpublished}
    assert (deeper["network"], deeper["published error %"]) == ("CifarResNet-14", "8.88 (9.1)")
    assert other == {
        "network": "Other (published only)",
        "layers": 19,
        "multiply-adds": None,
        "parameters": None,
        "published millions": 2.5,
        "difference %": None,
        "published error %": "8.39",
    }
