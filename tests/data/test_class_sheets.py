import numpy as np
import PIL.Image
from pictures import saved

from keras_resnet import plots
from keras_resnet.data.class_sheets import draw_sheets
from keras_resnet.data.sources import MemorySource
from keras_resnet.data.survey import survey


def test_each_class_has_a_row_of_upright_pictures_on_white(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "draw_classes", lambda *arguments: drawn.append(arguments))
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    picture = PIL.Image.new("RGB", (64, 32), (200, 0, 0))
    picture.paste((0, 0, 200), (0, 0, 32, 32))
    clear = PIL.Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    contents = [saved(picture, "PNG", exif=exif), saved(clear, "PNG")]
    contents += [saved(PIL.Image.new("L", (9, 9), 10 * value), "PNG") for value in range(20)]
    labels = [0, 1] + [2] * 20
    names = ("turned", "clear", "many", *(f"class {number}" for number in range(3, 13)))
    # Classes of which nothing was seen have no row.
    source = MemorySource(contents + contents[1:2] * 9, labels + list(range(3, 12)), names)
    paths = draw_sheets(source, survey(source, range(31), "Looking"), tmp_path)
    assert [path.name for path in paths] == ["classes-01.png", "classes-02.png"]
    assert [arguments[1] for arguments in drawn] == paths
    rows = {**drawn[0][0], **drawn[1][0]}
    assert list(rows) == list(names[:12])
    assert [len(arguments[0]) for arguments in drawn] == [10, 2]
    ((turned, caption),) = rows["turned"]
    assert (turned.shape, caption) == ((128, 128, 3), "image 0 of 31")
    # Turned by a quarter its blue half is above; beside it is white.
    assert turned[[10, 120, 60], [64, 64, 5]].tolist() == [[0, 0, 200], [200, 0, 0], [255] * 3]
    ((clear, _),) = rows["clear"]
    assert (clear == 255).all()
    grays = [int(image[64, 64, 0]) for image, _ in rows["many"]]
    assert grays == [10 * value for value in np.linspace(0, 19, 8).astype(int)]
