import pytest

from keras_resnet.checks import UserError
from keras_resnet.serving.batches.options import Shard, parsed_shard


def test_shards_count_from_zero():
    assert parsed_shard("0/1") == Shard(0, 1) == Shard()
    assert parsed_shard("7/8") == Shard(7, 8)
    assert str(parsed_shard("7/8")) == "00007-of-00008"


@pytest.mark.parametrize("text", ["8/8", "1/0", "-1/8", "3", "3/8/9", "a/b", "1.0/2", "", "٣/٨"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UserError, match="from 0/8 to 7/8. Received: shard="):
        parsed_shard(text)
