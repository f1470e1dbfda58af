import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from letters import network
from tensorflow_serving.config import model_server_config_pb2

from keras_resnet.serving.deployment.starting_files import starting_files
from keras_resnet.serving.options import Limits
from keras_resnet.serving.servable import servable

# As TF Serving's monitoring_config.proto, which its pip package leaves out, defines it.
MONITORING = """
name: "monitoring_config.proto" package: "tensorflow.serving" syntax: "proto3"
message_type {
  name: "PrometheusConfig"
  field { name: "enable" number: 1 label: LABEL_OPTIONAL type: TYPE_BOOL }
  field { name: "path" number: 2 label: LABEL_OPTIONAL type: TYPE_STRING }
}
message_type {
  name: "MonitoringConfig"
  field {
    name: "prometheus_config" number: 1 label: LABEL_OPTIONAL type: TYPE_MESSAGE
    type_name: ".tensorflow.serving.PrometheusConfig"
  }
}
"""


@pytest.fixture(scope="module")
def served():
    return servable(network(), 5, Limits())


def test_monitoring_is_for_prometheus(served):
    file = text_format.Parse(MONITORING, descriptor_pb2.FileDescriptorProto())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    kind = pool.FindMessageTypeByName("tensorflow.serving.MonitoringConfig")
    text = starting_files("mine", served, Limits())["monitoring.config"]
    config = text_format.Parse(text, message_factory.GetMessageClass(kind)())
    assert config.prometheus_config.enable
    pod = list(yaml.safe_load_all(starting_files("a", served, Limits())["kubernetes.yaml"]))[2]
    annotations = pod["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == config.prometheus_config.path


@pytest.mark.parametrize("name", ["mine", 'it\'s "1": \\ $x\t{ü}\x1b'])
def test_names_are_quoted(served, name):
    files = starting_files(name, served, Limits())
    assert list(files) == [
        *("models.config", "monitoring.config", "compose.yaml"),
        *("kubernetes.yaml", "kubernetes-gpu.yaml"),
    ]
    config = model_server_config_pb2.ModelServerConfig()
    text_format.Parse(files["models.config"], config)
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (name, f"/models/{name.replace(':', '-')}")
    assert model.model_platform == "tensorflow"
    for file in files:
        # In a comment a name would end the line, or control a terminal.
        assert "\x1b" not in files[file]
        if file.endswith(".yaml"):
            assert list(yaml.safe_load_all(files[file]))


def test_only_the_file_for_a_gpu_asks_for_one(served):
    files = starting_files("mine", served, Limits())
    assert "nvidia.com/gpu" in files["kubernetes-gpu.yaml"]
    assert "nvidia.com/gpu" not in files["kubernetes.yaml"]
    for file in ("kubernetes.yaml", "kubernetes-gpu.yaml"):
        assert f"kubectl apply -f {file}\n" in files[file]
