import importlib
import runpy

import pytest
from processes import LAUNCH

from keras_resnet.checks import UserError
from keras_resnet.paper import commands

PAPER = runpy.run_path(str(LAUNCH / "paper.py"))


@pytest.mark.parametrize("name", PAPER["SUBCOMMANDS"])
def test_each_subcommand_has_what_does_its_work(name):
    module, function = PAPER["SUBCOMMANDS"][name]().work.split(".")
    assert callable(getattr(importlib.import_module(f"keras_resnet.paper.{module}"), function))


def test_what_is_no_run_is_said(tmp_path):
    for write, arguments in (
        (commands.write_responses, (["no_run"], None, 10)),
        (commands.write_construction, (["no_run"], 20, None, 10)),
        (commands.write_gradients, (["no_run"], None)),
        (commands.write_errors, (["no_run"],)),
    ):
        with pytest.raises(UserError, match="no_run"):
            write(tmp_path, *arguments)
    assert not list(tmp_path.iterdir())
