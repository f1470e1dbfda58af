import pytest
from keras.src.applications.resnet import BASE_WEIGHTS_PATH, WEIGHTS_HASHES

from keras_resnet.weights.sets import SETS, weight_set


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_those_of_keras_are_where_keras_has_them(depth):
    found = weight_set("keras", depth)
    name = f"resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
    assert found.url == BASE_WEIGHTS_PATH + name
    assert found.digest == f"md5:{WEIGHTS_HASHES[f'resnet{depth}'][0]}"
    assert found.bottleneck_stride == "1x1"


def test_imagenet_has_one_preprocessing_for_all_depths():
    assert set(SETS["imagenet"]) == {18, 34, 50, 101, 152}
    assert len({found.preprocessing for found in SETS["imagenet"].values()}) == 1


def test_names_of_torchvisions_files_hold_their_digests():
    for name in ("torchvision/v1", "torchvision/v2"):
        for depth, found in SETS[name].items():
            digest = found.digest.removeprefix("sha256:")
            assert found.url.endswith(f"/resnet{depth}-{digest}.pth") and len(digest) == 8
            # The published mean and deviation are of values from 0 to 1.
            mean, deviation = found.preprocessing.mean, found.preprocessing.deviation
            assert [value / 255 for value in mean] == pytest.approx([0.485, 0.456, 0.406])
            assert [value / 255 for value in deviation] == pytest.approx([0.229, 0.224, 0.225])
            assert found.bottleneck_stride == (None if depth < 50 else "3x3")


def test_timms_files_have_names_of_their_own():
    files = [found.file_name for found in SETS["timm/tv_in1k"].values()]
    files += [found.file_name for found in SETS["timm/a1_in1k"].values()]
    assert len(set(files)) == 10
    for name in ("timm/tv_in1k", "timm/a1_in1k"):
        for depth, found in SETS[name].items():
            if found.file_name.endswith(".safetensors"):
                assert f"/timm/{found.file_name.removesuffix('.safetensors')}/" in found.url
                assert len(found.digest) == len("sha256:") + 64
            else:
                assert found.file_name.endswith(f"{found.digest.removeprefix('sha256:')}.pth")
            assert f"resnet{depth}" in found.file_name
    a1 = {found.preprocessing for found in SETS["timm/a1_in1k"].values()}
    assert {(p.size, p.resize, p.interpolation) for p in a1} == {(288, 288, "bicubic")}


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
