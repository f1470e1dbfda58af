from keras_resnet.training import changes

HERE = {
    "host": "node1",
    "tensorflow": "2.21.0",
    "processor": "2 x AMD EPYC",
    "replicas": 2,
    "onednn": True,
    "xla": False,
}


def test_of_a_training_that_goes_on_as_it_was_nothing_is_said():
    assert changes.of_resumption([HERE], [{**HERE, "host": "node2"}]) == []


def test_what_is_otherwise_is_said_with_the_way_back():
    now = {**HERE, "replicas": 1, "onednn": False, "xla": True}
    replicas, onednn, xla = changes.of_resumption([HERE], [now])
    assert "was on 2 replicas and resumes on 1: the same batches, but not the same bits" in replicas
    assert "was with oneDNN and resumes without oneDNN" in onednn
    assert onednn.endswith("TF_ENABLE_ONEDNN_OPTS=1 keeps it as it was.")
    assert "was without XLA and resumes with XLA" in xla
    assert xla.endswith("--nojit_compile keeps it as it was.")


def test_versions_and_machines_are_named_of_each_worker():
    now = [{**HERE, "tensorflow": "2.22.0"}, {**HERE, "processor": "4 x Intel Xeon"}]
    (line,) = changes.of_resumption([HERE, HERE], now)
    assert "tensorflow of worker 0 was '2.21.0' and is '2.22.0', " in line
    assert "processor of worker 1 was '2 x AMD EPYC' and is '4 x Intel Xeon'" in line


def test_what_an_earlier_version_did_not_note_is_no_change():
    earlier = {"replicas": 2, "onednn": True, "xla": False}
    assert changes.of_resumption([earlier], [HERE]) == []
    (line,) = changes.of_resumption([earlier], [{**HERE, "replicas": 4}])
    assert "was on 2 replicas and resumes on 4" in line


def test_a_line_that_holds_for_all_workers_comes_once():
    (line,) = changes.of_resumption([HERE] * 3, [{**HERE, "xla": True}] * 3)
    assert "resumes with XLA" in line


def test_workers_that_are_unlike_are_named():
    third = {**HERE, "host": "node3", "processor": "4 x Intel Xeon"}
    (line,) = changes.of_workers([HERE, {**HERE, "host": "node2"}, third])
    assert line.startswith("Worker 2 has processor '4 x Intel Xeon', the chief '2 x AMD EPYC'")
