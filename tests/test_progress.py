from keras_resnet import progress

ROW = {
    "step": 20,
    "epoch": 0.5,
    "split": "train",
    "loss": 1.25,
    "top1": 0.5,
    "learning_rate": 0.1,
    "images_per_second": 123.4,
}


def test_a_log_file_gets_a_line_for_each_row(capsys):
    with progress.show_progress(100, 10) as shown:
        shown.update(10, loss=1.0, accuracy=0.5, images_per_second=3.0)
        shown.log(ROW)
    output = capsys.readouterr().out
    assert output.startswith(
        "step 20, epoch 0.50, train: loss 1.25, top1 0.5, learning rate 0.1, "
        "images per second 123.4, "
    )
    assert output.endswith(" left\n")
