import numpy as np
import pytest
from keras.applications.resnet import preprocess_input
from keras.src.applications.resnet import BASE_WEIGHTS_PATH, WEIGHTS_HASHES

from keras_resnet.weights.sets import SETS, weight_set

# What publishers say: the first digits of the digest, top-1 in percent, and to which side (the
# shorter one) images are resized before the middle is cropped.
TORCHVISION = {  # torchvision/models/resnet.py: url, _metrics, transforms.
    "torchvision/v1": {
        18: ("f37072fd", 69.758, 256),
        34: ("b627a593", 73.314, 256),
        50: ("0676ba61", 76.130, 256),
        101: ("63fe2227", 77.374, 256),
        152: ("394f9c45", 78.312, 256),
    },
    "torchvision/v2": {
        50: ("11ad3fa6", 80.858, 232),
        101: ("cd907fc2", 81.886, 232),
        152: ("f82ba261", 82.284, 232),
    },
}
# keras.io/api/applications, in percent.
KERAS = {50: 74.9, 101: 76.4, 152: 76.6}
# timm: results/results-imagenet.csv, resnet18.a1_in1k,73.158,...,288,1.000,bicubic and the others;
# and the URL of resnet152.a1_in1k in timm/models/resnet.py.
A1 = {18: 73.158, 34: 77.918, 50: 81.214, 101: 82.322, 152: 82.732}
A1_152 = (
    "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-rsb-weights/"
    "resnet152_a1_0-2eee8a7a.pth"
)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_those_of_keras_are_where_keras_has_them(depth):
    found = weight_set("keras", depth)
    name = f"resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
    assert found.url == BASE_WEIGHTS_PATH + name
    assert found.file_name == name
    assert found.digest == f"md5:{WEIGHTS_HASHES[f'resnet{depth}'][0]}"
    assert found.bottleneck_stride == "1x1"
    assert found.top1 == KERAS[depth]


def test_imagenet_has_one_preprocessing_for_all_depths():
    assert set(SETS["imagenet"]) == {18, 34, 50, 101, 152}
    assert len({found.preprocessing for found in SETS["imagenet"].values()}) == 1
    assert SETS["imagenet"] == SETS["torchvision/v1"]


def test_those_of_torchvision_are_what_torchvision_says():
    for name, published in TORCHVISION.items():
        assert SETS[name].keys() == published.keys()
        for depth, (digest, top1, resize) in published.items():
            found = SETS[name][depth]
            assert found.file_name == f"resnet{depth}-{digest}.pth"
            assert found.url == f"https://download.pytorch.org/models/{found.file_name}"
            assert found.digest == f"sha256:{digest}"
            assert found.top1 == top1
            spec = found.preprocessing
            assert (spec.size, spec.resize, spec.interpolation) == (224, resize, "bilinear")


@pytest.mark.parametrize("name", [name for name in SETS if name != "keras"])
def test_weights_of_torch_expect_its_mean_deviation_and_stride(name):
    for depth, found in SETS[name].items():
        # The published mean and deviation are of values from 0 to 1.
        mean, deviation = found.preprocessing.mean, found.preprocessing.deviation
        assert [value / 255 for value in mean] == pytest.approx([0.485, 0.456, 0.406])
        assert [value / 255 for value in deviation] == pytest.approx([0.229, 0.224, 0.225])
        assert found.bottleneck_stride == (None if depth < 50 else "3x3")


def test_weights_of_keras_expect_what_its_preprocessing_makes():
    # What it makes of black and of a gray, as BGR.
    black, gray = (preprocess_input(np.full((1, 1, 3), value, float))[0, 0] for value in (0, 7))
    for found in SETS["keras"].values():
        spec = found.preprocessing
        np.testing.assert_allclose(spec.mean, -black[::-1])
        np.testing.assert_allclose(spec.deviation, 7 / (gray - black).mean())
        assert (spec.size, spec.resize, spec.interpolation) == (224, 256, "bilinear")


def test_timms_files_have_names_of_their_own():
    files = [found.file_name for found in SETS["timm/tv_in1k"].values()]
    files += [found.file_name for found in SETS["timm/a1_in1k"].values()]
    assert len(set(files)) == 10
    for name in ("timm/tv_in1k", "timm/a1_in1k"):
        assert set(SETS[name]) == {18, 34, 50, 101, 152}
        for depth, found in SETS[name].items():
            if found.file_name.endswith(".safetensors"):
                assert found.file_name == f"resnet{depth}.{name.removeprefix('timm/')}.safetensors"
                assert f"/timm/{found.file_name.removesuffix('.safetensors')}/" in found.url
                assert len(found.digest) == len("sha256:") + 64
            else:
                assert found.file_name.endswith(f"{found.digest.removeprefix('sha256:')}.pth")
                assert found.url.endswith(f"/{found.file_name}")
            assert f"resnet{depth}" in found.file_name
    a1 = {found.preprocessing for found in SETS["timm/a1_in1k"].values()}
    assert {(p.size, p.resize, p.interpolation) for p in a1} == {(288, 288, "bicubic")}
    assert {depth: found.top1 for depth, found in SETS["timm/a1_in1k"].items()} == A1
    assert SETS["timm/a1_in1k"][152].url == A1_152


def test_timms_copies_of_torchvisions_are_as_good():
    for depth, found in SETS["timm/tv_in1k"].items():
        _, top1, resize = TORCHVISION["torchvision/v1"][depth]
        assert found.top1 == top1
        spec = found.preprocessing
        assert (spec.size, spec.resize, spec.interpolation) == (224, resize, "bilinear")


def test_other_networks_have_none():
    with pytest.raises(ValueError, match="Received: weights='imagenet' for another network"):
        weight_set("imagenet", None)


def test_deeper_is_better_in_every_set():
    for found in SETS.values():
        assert sorted(found, key=lambda depth: found[depth].top1) == sorted(found)


def test_a_depth_that_is_missing_is_named():
    with pytest.raises(
        ValueError, match="ResNets of Table 1 with 50, 101, 152 layers.* for depth 18"
    ):
        weight_set("keras", 18)


def test_files_of_all_sets_are_told_apart():
    """Two of one name would be taken for each other in the directory that keeps them."""
    by_name = {}
    for published in SETS.values():
        for found in published.values():
            assert by_name.setdefault(found.file_name, found.url) == found.url
