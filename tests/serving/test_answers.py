from keras_resnet.serving import answers


def test_only_ok_is_ok():
    unusable = [getattr(answers, name) for name in vars(answers) if name.isupper() and name != "OK"]
    assert len(unusable) == 6
    assert not any(answers.Answer(status).is_ok for status in unusable)
    assert answers.Answer(answers.OK, (3,), ("cat",), (0.5,)).is_ok
