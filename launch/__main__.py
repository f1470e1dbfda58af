"""`keras-resnet`: the programs of this folder by their names."""

import ast
import pathlib
import runpy
import sys

FOLDER = pathlib.Path(__file__).resolve().parent

OVERVIEW = """\
keras_resnet {version}: Deep Residual Learning for Image Recognition on Keras and TensorFlow

  See it work          {demo}
  Look at pictures     {data} my_pictures
  Train on pictures    {imagenet} --dataset=my_pictures --depth=18 --run_dir=runs/mine
  Evaluate             {evaluate} runs/mine
  Export, to serve     {export} runs/mine --output=exports/mine
  Classify pictures    {predict} exports/mine cat.jpg
  Serve, to try it     {serve} exports/mine
  Check the paper      {paper}

Also:
{others}

Each explains itself with --help.
"""


def main():
    """Runs the program that the command line names, or says which there are."""
    # Programs find here what they share, as Python does for `python launch/NAME.py`.
    sys.path.insert(0, str(FOLDER))
    programs = {path.stem: path for path in sorted(FOLDER.glob("[a-z]*.py"))}
    name, *arguments = sys.argv[1:] or ["--help"]
    if name in programs:
        sys.argv = [str(programs[name]), *arguments]
        runpy.run_path(str(programs[name]), run_name="__main__")
        return
    from command_line.program import mistakes_explained, print_text

    with mistakes_explained():
        if name == "--version":
            print_text(f"keras_resnet {_version()}\n")
        elif name in ("--help", "-h", "help"):
            print_text(_overview(programs) + "\n")
        else:
            sys.exit(_unknown(name, programs))


def _version():
    from command_line import start  # noqa: F401, with which the package is found
    from keras_resnet.version import __version__

    return __version__


def _overview(programs):
    from command_line.help_text import summary
    from command_line.program import command

    others = [name for name in programs if f"{{{name}}}" not in OVERVIEW]
    docs = {
        name: ast.get_docstring(ast.parse(programs[name].read_text(encoding="utf-8")), clean=False)
        for name in others
    }
    lines = [f"  {name:19}  {summary(docs[name], command)}" for name in others]
    names = {name: command(name) for name in programs}
    return OVERVIEW.format(version=_version(), others="\n".join(lines), **names)


def _unknown(name, programs):
    """What is said of a name that no program has."""
    import difflib

    near = difflib.get_close_matches(name, programs, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no program {name!r}.{hint} There are: {', '.join(programs)}."


if __name__ == "__main__":
    main()
