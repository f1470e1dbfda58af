import pytest
from certificates import certified
from servers import UNDERSTOOD, Model, serving

from keras_resnet.serving.access import Access
from keras_resnet.serving.clients import ServingError, connect


def test_malformed_addresses_are_shown():
    with pytest.raises(ValueError, match="`MODEL` must be .* Received: ftp://host:1/letters"):
        connect("ftp://host:1/letters")


@pytest.mark.parametrize(
    "settings",
    [{"timeout": 0.0}, {"timeout": 1e10}, {"retry_for": -1.0}, {"batch_size": 0}],
)
def test_bad_numbers_are_named(tmp_path, settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}` must be"):
        connect(tmp_path, **settings)


def test_access_is_for_servers(tmp_path):
    made = certified(tmp_path)
    with pytest.raises(ValueError, match="`ca_file` is for servers"):
        connect(tmp_path, access=Access(ca_file=made.authority))


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_version_is_asked_for_by_number_or_label(protocol):
    with serving(Model()) as server:
        address = f"{server.addresses[protocol]}/letters"
        for version in ("1", "stable"):
            assert connect(f"{address}/{version}").ask([b"picture"]) == [UNDERSTOOD]
        for version in ("2", "canary"):
            with pytest.raises(
                ServingError, match=rf"letters.*{version}.*NOT_FOUND|{version}.*404"
            ):
                connect(f"{address}/{version}")
