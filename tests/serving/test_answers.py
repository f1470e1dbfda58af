import re

from processes import ROOT

from keras_resnet.serving import answers


def test_every_status_has_a_meaning_which_the_documentation_tells():
    constants = [value for name, value in vars(answers).items() if name.isupper()]
    statuses = [value for value in constants if isinstance(value, str)]
    assert list(answers.STATUSES) == statuses
    text = (
        (ROOT / "docs" / "serving.md").read_text().partition("| status | meaning |\n|---|---|\n")[2]
    )
    table = re.findall(r"^\| `(.+?)` \| (.+) \|$", text.partition("\n\n")[0], re.MULTILINE)
    assert dict(table) == dict(answers.STATUSES)


def test_only_ok_is_ok():
    unusable = answers.STATUSES.keys() - {answers.OK}
    assert len(unusable) == len(answers.STATUSES) - 1
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
