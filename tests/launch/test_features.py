import letters
import numpy as np
from processes import assert_user_error, run_program


def test_features_of_a_folder_and_their_list(picture_folder, tmp_path):
    letters.network().save(tmp_path / "model.keras")
    arguments = [tmp_path / "model.keras", picture_folder, f"--output={tmp_path}/features.npy"]
    process = run_program("features", *arguments, "--batch_size=4")
    assert process.returncode == 0, process.stderr
    assert f"Features of 34 pictures: {tmp_path}/features.npy" in process.stdout
    assert f"in the order of:  {tmp_path}/features.txt" in process.stdout
    assert np.load(tmp_path / "features.npy").shape == (34, 64)
    assert_user_error(run_program("features", *arguments[:2]), "--output=FILE.npy must say")
