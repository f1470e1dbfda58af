import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from pictures import smooth_picture

from keras_resnet.images.difference_hash import difference_hash, near_pairs, tells_apart


def hash_of(picture):
    pixels = np.asarray(picture)
    return int(difference_hash(tf.constant(pixels.reshape(*pixels.shape[:2], -1))))


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
    # Of a whole number of pixels each field is a mean, in Pillow as here.
    gray = picture.convert("RGB").resize((9, 8), PIL.Image.Resampling.BOX).convert("L")
    gray = np.asarray(gray).astype(int)
    expected = (gray[:, :-1] < gray[:, 1:]).ravel().tolist()
    # Pillow rounds twice: some fields are equal in one of the two.
    differing = np.flatnonzero(np.array(bits_of(hash_of(picture))) != expected)
    assert len(differing) <= 2
    assert (abs(np.diff(gray, axis=1)).ravel()[differing] <= 1).all()
    assert 8 < sum(expected) < 56


def test_a_field_is_darker_than_its_right_neighbour():
    gray = np.zeros((8, 9), np.uint8)
    gray[0, 1] = gray[2, 8] = 9
    assert bits_of(hash_of(np.kron(gray, np.ones((3, 4), np.uint8)))) == [
        place in (0, 2 * 8 + 7) for place in range(64)
    ]


def test_copies_are_near_and_others_are_not(rng):
    scenes = [scene(rng) for _ in range(40)]

    def copy(picture, place):
        small = picture.resize((100 + place, 75 + place), PIL.Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        small.point(lambda value: 0.9 * value + 20).save(stream, "JPEG", quality=40)
        return PIL.Image.open(stream)

    copies = [hash_of(copy(picture, place)) for place, picture in enumerate(scenes)]
    hashes = np.array([hash_of(picture) for picture in scenes])
    order = rng.permutation(40)
    pairs = dict(near_pairs(np.array(copies)[order], hashes))
    assert pairs == {place: int(number) for place, number in enumerate(order)}


def test_pairs_are_those_of_brute_force(rng):
    # More than are compared at once, and copies with 0 to 8 other bits.
    hashes = rng.integers(-(2**63), 2**63, 1100)
    others = rng.integers(-(2**63), 2**63, 540)
    for place in range(0, 540, 10):
        flipped = rng.choice(64, place // 10 % 9, replace=False)
        others[place] = hashes[2 * place] ^ np.bitwise_xor.reduce(1 << flipped, initial=0)
    distances = np.array(
        [[((a ^ b) % 2**64).bit_count() for b in others.tolist()] for a in hashes.tolist()]
    )
    found = dict(near_pairs(hashes, others))
    near = np.flatnonzero(distances.min(axis=1) <= 4)
    assert sorted(found) == near.tolist()
    assert len(near) == 30
    assert all(distances[a, b] == distances[a].min() for a, b in found.items())
    assert list(near_pairs(hashes, others[:0])) == []


def test_flat_pictures_do_not_tell_apart(rng):
    pixels = np.full((70, 90, 3), 37, np.uint8)
    shaded = np.broadcast_to(np.arange(90, dtype=np.uint8)[:, None], (70, 90, 3))
    hashes = [hash_of(pixels), hash_of(shaded), hash_of(shaded[:, ::-1]), hash_of(scene(rng))]
    assert hashes[:3] == [0, -1, 0]
    assert tells_apart(np.array(hashes)).tolist() == [False] * 3 + [True]
    assert tells_apart(np.array([2**7 - 1, 2**8 - 1, -(2**8), -(2**7)])).tolist() == [
        False,
        True,
        True,
        False,
    ]
