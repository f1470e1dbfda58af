import os
import time

import hostile
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from letters import evaluated
from peak import peak_growth
from pictures import encoded

from keras_resnet.serving.answers import DAMAGED, NOT_AN_IMAGE, OK, STATUSES

BATCH = 50


@pytest.fixture
def asked(exported, serve, rng):
    """Asks about rows with three good ones between them, which must stay right; their statuses."""
    model, _ = exported
    good = encoded(rng, 31, 45)
    (expected,) = evaluated(model, [good])

    def ask(rows):
        rows = list(rows)
        places = [0, len(rows) // 2, len(rows) + 2]
        for place in places:
            rows.insert(place, good)
        answer = serve["serving_default"](image_bytes=tf.constant(rows))
        found = [status.decode() for status in answer["status"].numpy()]
        assert set(found) <= set(STATUSES)
        assert [found[place] for place in places] == [OK] * 3
        probabilities = answer["probabilities"].numpy()
        for place in places:
            np.testing.assert_allclose(probabilities[place], expected, atol=1e-5)
        usable = np.array([status == OK for status in found])
        np.testing.assert_allclose(probabilities.sum(axis=1), usable, atol=1e-5)
        return found

    return ask


@pytest.mark.parametrize(
    "batches", [20, pytest.param(200, marks=pytest.mark.faults)], ids=["some", "many"]
)
def test_no_bytes_harm_the_good_rows(asked, batches):
    """1,000 or 10,000 rows of all formats."""
    pictures = list(hostile.samples(np.random.default_rng(5)).values())
    seen = []

    @hypothesis.settings(
        max_examples=batches,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(st.lists(hostile.mutated(pictures), min_size=BATCH, max_size=BATCH))
    def ask(rows):
        seen.extend(asked(rows))

    with peak_growth() as growth:
        ask()
    # One picture of the largest size for each processor, and some.
    assert growth.kilobytes < (len(os.sched_getaffinity(0)) * 150 + 100) * 1000
    assert len(seen) >= BATCH * batches * 10 // 11
    # Of all kinds that such bytes can be.
    assert {OK, DAMAGED, NOT_AN_IMAGE} <= set(seen)
    assert seen.count(DAMAGED) > len(seen) / 11


@pytest.mark.parametrize(
    "every", [10, pytest.param(1, marks=pytest.mark.faults)], ids=["a tenth", "all"]
)
def test_no_file_that_malice_makes_harms_the_good_rows(asked, every):
    files = hostile.handmade(np.random.default_rng(6))
    assert len(files) > 500
    seen, seconds = [], []
    with peak_growth() as growth:
        for start in range(0, len(files[::every]), BATCH):
            rows = files[::every][start : start + BATCH]
            started = time.process_time()
            seen.extend(asked(rows))
            seconds.append((time.process_time() - started) / len(rows))
    # The largest says to be of 65,535 x 763 pixels, for which a processor takes a second.
    assert growth.kilobytes < 1_000_000
    assert max(seconds) < 1
    assert seen.count(DAMAGED) > len(seen) / 3
