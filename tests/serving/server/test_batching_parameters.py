import pytest
from google.protobuf import text_format

from keras_resnet.serving.export import batching
from keras_resnet.serving.server.batching_parameters import batching_parameters


def test_it_reads_what_exports_write():
    parsed = text_format.Parse(batching((1, 4, 32)), batching_parameters())
    assert parsed.max_batch_size.value == 32
    assert list(parsed.allowed_batch_sizes) == [1, 4, 32]
    assert parsed.batch_timeout_micros.value == 5000
    assert parsed.DESCRIPTOR.full_name == "tensorflow.serving.BatchingParameters"


def test_fields_have_the_numbers_of_tf_servings_definition():
    """By the bytes: tag of the field, length, tag of the wrapped value, value; packed numbers."""
    message = batching_parameters()
    message.max_batch_size.value = 32
    message.num_batch_threads.value = 2
    message.thread_pool_name.value = "a"
    message.allowed_batch_sizes.extend([1, 32])
    message.pad_variable_length_inputs = True
    message.enable_large_batch_splitting.value = True
    expected = "0a02 0820 2202 0802 2a03 0a01 61 3202 0120 3801 4202 0801"
    assert message.SerializeToString() == bytes.fromhex(expected)


def test_what_is_no_such_field_is_refused():
    with pytest.raises(text_format.ParseError, match="max_batch"):
        text_format.Parse("max_batch { value: 32 }", batching_parameters())
