from keras_resnet.serving import answers


def test_only_ok_is_ok():
    unusable = [getattr(answers, name) for name in vars(answers) if name.isupper() and name != "OK"]
    assert len(unusable) == 6
    assert not any(answers.Answer(status).is_ok for status in unusable)
    assert answers.Answer(answers.OK, (3,), ("cat",), (0.5,)).is_ok


def test_of_objects_those_that_a_detector_is_sure_of():
    boxes = ((0.0, 0.0, 1.0, 1.0), (2.0, 2.0, 3.0, 3.0))
    found = answers.Answer(answers.OK, (3, 1), ("cat", "dog"), (0.75, 0.5), boxes)
    assert found.at_least(0.5) == found
    assert found.at_least(0.6) == answers.Answer(answers.OK, (3,), ("cat",), (0.75,), boxes[:1])
    assert found.at_least(0.8).boxes == ()
    # A classifier has no objects.
    named = answers.Answer(answers.OK, (3, 1), ("cat", "dog"), (0.75, 0.25))
    assert named.at_least(0.5) == named
