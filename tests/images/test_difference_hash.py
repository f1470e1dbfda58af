import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import smooth_picture

from keras_resnet.images.difference_hash import difference_hashes, near_pairs, tells_apart


def hashes_of(picture):
    """From left to right, and from above to below."""
    pixels = np.asarray(picture)
    return difference_hashes(tf.constant(pixels.reshape(*pixels.shape[:2], -1))).numpy().tolist()


def bits_of(number):
    """Of the lowest first."""
    return [number >> place & 1 for place in range(64)]


def scene(rng):
    """A picture of soft blobs, as different from others as photographs are."""
    colors = PIL.Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return colors.resize((320, 240), PIL.Image.Resampling.BICUBIC)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_it_is_that_of_pillow(rng, mode):
    picture = smooth_picture(rng, mode, (9 * 7, 8 * 5))
    turned = picture.transpose(PIL.Image.Transpose.TRANSPOSE)
    # Of a whole number of pixels each field is a mean, in Pillow as here.
    gray = picture.convert("RGB").resize((9, 8), PIL.Image.Resampling.BOX).convert("L")
    gray = np.asarray(gray).astype(int)
    expected = (gray[:, :-1] < gray[:, 1:]).ravel().tolist()
    # Pillow rounds twice: some fields are equal in one of the two.
    differing = np.flatnonzero(np.array(bits_of(hashes_of(picture)[0])) != expected)
    assert len(differing) <= 2
    assert (abs(np.diff(gray, axis=1)).ravel()[differing] <= 1).all()
    assert 8 < sum(expected) < 56
    assert hashes_of(turned) == hashes_of(picture)[::-1]


def test_a_field_is_darker_than_its_right_neighbour():
    gray = np.zeros((8, 9), np.uint8)
    gray[0, 1] = gray[2, 8] = 9
    assert bits_of(hashes_of(np.kron(gray, np.ones((3, 4), np.uint8)))[0]) == [
        place in (0, 2 * 8 + 7) for place in range(64)
    ]


def test_copies_are_near_and_others_are_not(rng):
    scenes = [scene(rng) for _ in range(40)]

    def copy(picture, place):
        small = picture.resize((100 + place, 75 + place), PIL.Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        small.point(lambda value: 0.9 * value + 20).save(stream, "JPEG", quality=40)
        return PIL.Image.open(stream)

    copies = [hashes_of(copy(picture, place)) for place, picture in enumerate(scenes)]
    hashes = np.array([hashes_of(picture) for picture in scenes])
    order = rng.permutation(40)
    pairs = dict(near_pairs(np.array(copies)[order], hashes))
    assert pairs == {place: int(number) for place, number in enumerate(order)}


def test_pairs_are_those_of_brute_force(rng):
    # More than are compared at once, and copies with 0 to 8 and 0 to 12 other bits.
    hashes = rng.integers(-(2**63), 2**63, (1100, 2))
    others = rng.integers(-(2**63), 2**63, (540, 2))
    for place in range(0, 540, 5):
        for direction, flips in enumerate((place // 5 % 9, place // 5 % 13)):
            bits = rng.choice(64, flips, replace=False)
            others[place, direction] = hashes[2 * (place // 10 * 10), direction] ^ sum(
                1 << bit if bit < 63 else -(1 << bit) for bit in bits.tolist()
            )
    across, down = (
        [
            [((a ^ b) % 2**64).bit_count() for b in others[:, i].tolist()]
            for a in hashes[:, i].tolist()
        ]
        for i in range(2)
    )
    across, down = np.array(across), np.array(down)
    both = np.where((across <= 4) & (down <= 8), across + down, 128)
    found = dict(near_pairs(hashes, others))
    assert sorted(found) == np.flatnonzero(both.min(axis=1) < 128).tolist()
    assert len(found) > 20
    # Of some it is not the only one, and of others the distance from above to below is too much.
    assert (np.sum(both < 128, axis=1) > 1).any() and ((across <= 4) & (down > 8)).any()
    assert all(both[a, b] == both[a].min() for a, b in found.items())
    assert list(near_pairs(hashes, others[:0])) == list(near_pairs(hashes[:0], others)) == []


def test_flat_pictures_do_not_tell_apart(rng):
    pixels = np.full((70, 90, 3), 37, np.uint8)
    shaded = np.broadcast_to(np.arange(90, dtype=np.uint8)[:, None], (70, 90, 3))
    hashes = [hashes_of(each) for each in (pixels, shaded, shaded[:, ::-1], scene(rng))]
    assert hashes[:3] == [[0, 0], [-1, 0], [0, 0]]
    assert tells_apart(np.array(hashes)).tolist() == [False] * 3 + [True]
    few = np.array([[2**7 - 1, 5], [2**8 - 1, 0], [-(2**8), 0], [-(2**7), 5]])
    assert tells_apart(few).tolist() == [False, True, True, False]
