import json
import subprocess
from importlib import resources

import jsonschema
import pytest
import yaml
from servers import free_port, listening, loaded_versions

from keras_resnet.serving.deployment.compose import compose
from keras_resnet.serving.deployment.container import Container

MINE = Container("mine", 3, 1)
# Quotes, what YAML, shells and Compose's variables have a meaning for, and letters of others.
ODD = Container("50% 'off': #1 & $HOME \"ü\" {a}", 3, 1)


@pytest.fixture(scope="module")
def schema():
    """The official one of the Compose specification."""
    files = resources.files("check_jsonschema.builtin_schemas.vendor")
    return json.loads((files / "compose-spec.json").read_text(encoding="utf-8"))


def as_compose_reads(text):
    """The project, with variables replaced as Compose does where none is set."""

    def replaced(value):
        if isinstance(value, dict):
            return {name: replaced(each) for name, each in value.items()}
        if isinstance(value, list):
            return [replaced(each) for each in value]
        if not isinstance(value, str):
            return value
        pieces = [piece.split("$") for piece in value.split("$$")]
        for piece in pieces:
            # What is left must be the variable that has a default.
            piece[1:] = [
                part.removeprefix("{TF_SERVING_VERSION:-").replace("}", "", 1) for part in piece[1:]
            ]
        return "$".join("".join(piece) for piece in pieces)

    return replaced(yaml.safe_load(text))


@pytest.mark.parametrize("container", [MINE, ODD])
def test_it_is_a_compose_file(schema, container):
    project = yaml.safe_load(compose(container))
    jsonschema.validate(project, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**project, "servcies": {}}, schema)
    assert compose(container).startswith(f"# TF Serving with {container.model}, ")


def test_the_gpu_is_asked_for_by_name():
    services = as_compose_reads(compose(MINE))["services"]
    assert list(services) == ["cpu", "gpu"]
    assert "profiles" not in services["cpu"] and services["gpu"]["profiles"] == ["gpu"]
    image = services["cpu"]["image"]
    assert services["gpu"]["image"] == f"{image}-gpu"
    assert image.startswith("tensorflow/serving:2.")
    resources = [services[name]["deploy"]["resources"] for name in services]
    assert resources[0] == {"limits": {"cpus": "2", "memory": "3g"}}
    (device,) = resources[1]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


@pytest.mark.parametrize("container", [MINE, ODD])
def test_the_server_is_on_this_machine_and_may_not_write(container):
    for service in as_compose_reads(compose(container))["services"].values():
        assert service["ports"] == ["127.0.0.1:8500:8500", "127.0.0.1:8501:8501"]
        (volume,) = service["volumes"]
        assert volume["read_only"] and service["read_only"]
        # Whoever breaks in is nobody, and stays so.
        assert service["user"] == "65534:65534" and service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert (volume["source"], volume["target"]) == (".", container.directory)
        options = dict(argument.split("=", 1) for argument in service["command"] if "=" in argument)
        for option, file in (
            ("--model_config_file", "models"),
            ("--batching_parameters_file", "batching"),
            ("--monitoring_config_file", "monitoring"),
        ):
            assert options[option] == f"{container.directory}/{file}.config"


def test_the_health_check_tells_who_answers_from_who_does_not(tiny_export):
    """By bash alone, which the image has."""

    def status(model, port):
        service = as_compose_reads(compose(Container(model, 3, 1)))["services"]["cpu"]
        command, *arguments = service["healthcheck"]["test"]
        assert command == "CMD"
        arguments[-1] = arguments[-1].replace("/8501", f"/{port}")
        return subprocess.run(arguments, capture_output=True, timeout=20).returncode

    with listening(loaded_versions(tiny_export)) as ports:
        assert status("mine", ports[1]) == 0
        assert status("numbers", ports[1]) != 0
        assert status(ODD.model, ports[1]) != 0
    assert status("mine", free_port()) != 0
