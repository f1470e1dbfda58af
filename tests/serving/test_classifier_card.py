from letters import network

from keras_resnet.serving import classifier_card


def test_the_table_of_signatures_is_that_of_the_export(exported):
    model, _ = exported
    rows = classifier_card.signatures(model, 9)
    assert [row[0] for row in rows] == ["`serving_default`", "`images`", "`features`"]
    # No more than there are.
    assert "`classes` int32 [n, 7]" in rows[0][2]
    assert "central 24x24 pixels" in classifier_card.preprocessing(network())
