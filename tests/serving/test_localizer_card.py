from localizers import localizer

from keras_resnet.serving import localizer_card


def test_the_card_says_what_it_is_made_of():
    model = localizer()
    text = localizer_card.network(model)
    assert "backbone, stages of [1, 1, 1, 1] basic blocks, which classifies" in text
    assert "anchors of 16, 32 pixels" in text
    assert "resized to 64 pixels" in localizer_card.preprocessing(model)
    (name, argument, answers), (other, *_) = localizer_card.signatures(model, 5)
    assert (name, other) == ("`serving_default`", "`images`")
    assert "image_bytes" in argument and "`boxes` float32 [n, 3, 4]" in answers
