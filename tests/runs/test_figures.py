import pytest

from keras_resnet.runs.figures import Figure, describe

TOP1 = Figure("top1", "top-1", "%", higher_is_better=True)
ERROR = Figure("error", "median error", " gray levels")


@pytest.mark.parametrize(("figure", "better"), [(TOP1, 0.75), (ERROR, 0.25)])
def test_what_is_better_has_the_lower_error(figure, better):
    assert figure.is_better(better, 0.5) and not figure.is_better(0.5, better)
    assert not figure.is_better(0.5, 0.5)
    assert figure.error(better) == 0.25


def test_a_line_names_figures_with_their_units():
    line = describe([TOP1, ERROR], {"error": 3.14159, "top1": 0.91, "images": 7, "step": 5})
    assert line == "top-1 91.00%, median error 3.1416 gray levels on 7 images"


def test_a_line_names_the_figures_that_there_are():
    assert describe([ERROR, TOP1], {"top1": 0.91, "images": 7}) == "top-1 91.00% on 7 images"
