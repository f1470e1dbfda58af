from segmenters import segmenter

from keras_resnet.serving import segmenter_card


def test_the_card_says_what_it_is_made_of():
    model = segmenter(rates=(2, 3), skip=True)
    text = segmenter_card.network(model)
    assert "DeepLabV3 on backbone" in text and "scores of the first stage are added" in text
    number = sum(v.numpy().size for v in model.trainable_variables)
    assert f"- parameters: {number:,}" in text
    assert "FCN on backbone, stages of [1, 1, 1, 1] basic blocks, stride 8" in (
        segmenter_card.network(segmenter())
    )


def test_pictures_and_signatures_are_described():
    model = segmenter()
    assert "resized to 48 pixels" in segmenter_card.preprocessing(model)
    (name, argument, answers), (other, _, ids) = segmenter_card.signatures(model, 5)
    assert (name, other) == ("`serving_default`", "`images`")
    assert "image_bytes" in argument and "`shares` float32 [n, 3]" in answers
    assert "`ids` uint8 [n, height, width]" in ids
    # What the signature gives: see test_segmenter_signatures.
    assert segmenter_card.unusable_row == "an empty mask, shares of 0 and empty labels"
