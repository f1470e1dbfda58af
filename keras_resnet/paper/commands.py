"""What each subcommand of `paper` computes, prints, and writes into a directory."""

import pathlib
from collections.abc import Sequence

import numpy as np

from keras_resnet.checks import UserError
from keras_resnet.paper import errors, figures, gradients, measured, pictures, reports, tables
from keras_resnet.paper.construction import deeper_copy, logits
from keras_resnet.paper.responses import responses, summary
from keras_resnet.texts import lossless


def write_networks(output: pathlib.Path) -> None:
    """Draws the blocks of Figures 2 and 5, the columns of Figure 3 and of Table 1."""
    output.mkdir(parents=True, exist_ok=True)
    figures.draw_networks(output / "networks.png")
    figures.draw_networks(output / "networks.svg")


def write_tables(output: pathlib.Path) -> None:
    """Writes tables.md, tables.json and a picture into a directory."""
    number = len(tables.IMAGENET_VARIANTS) + 1 + 2 * len(tables.PUBLISHED_CIFAR)
    print(f"Building {number} networks and counting, a minute or two:", flush=True)
    found: dict[str, list[dict[str, object]]] = {"imagenet": [], "cifar10": []}
    for name, rows in (("imagenet", tables.imagenet_rows()), ("cifar10", tables.cifar_rows())):
        for row in rows:
            found[name].append(row)
            if row["multiply-adds"] is not None:
                kind = f", shortcut {row['shortcut']}" if "shortcut" in row else ""
                print(f"  {row['network']}{kind}: {row['multiply-adds']:,}", flush=True)
    text = (
        f"Table 1, ImageNet, 224x224:\n\n{reports.markdown(found['imagenet'])}\n"
        f"Table 6, CIFAR-10, 32x32:\n\n{reports.markdown(found['cifar10'])}"
    )
    reports.write(output / "tables", text, found)
    pictures.draw_costs(found["imagenet"], output / "tables")


def write_construction(
    output: pathlib.Path, runs: Sequence[str], depth: int, data_dir: str | None, num_images: int
) -> None:
    """Writes construction.md, construction.json and a picture into a directory.

    Args:
      output: the directory.
      runs: run directories of CIFAR networks.
      depth: layers of the deeper networks, 6n+2, at least those of each run.
      data_dir: where TensorFlow Datasets are; None: the runs'.
      num_images: see `MeasuredRun.network_to_measure`.

    Raises:
      UserError: a run is none, of another network, or deeper.
    """
    rows, pairs = [], {}
    for run in measured.measured_runs(runs, measured.CIFAR_RUN, data_dir):
        if depth < run.config.depth:
            raise UserError(
                f"`depth` must be at least {run.config.depth}, that of {run.path}. "
                f"Received: depth={depth}"
            )
        train, source = run.sources()
        model = run.network_to_measure(train, num_images)
        print(f"{run.label} and {depth} layers answer {len(source):,} images each", flush=True)
        deeper = deeper_copy(model, ((depth - 2) // 6,) * 3)
        pair = logits(model, source), logits(deeper, source)
        labels = source.fetch(np.arange(len(source)))[1].numpy()
        top1 = [round(100 * np.mean(answers.argmax(axis=1) == labels), 2) for answers in pair]
        rows.append(
            {
                "network": run.label,
                "deeper": f"{run.config.network}-{depth}",
                "images": len(source),
                "top-1 %": top1[0],
                "deeper top-1 %": top1[1],
                "largest logit": float(np.abs(pair[0]).max()),
                "largest difference": float(np.abs(pair[1] - pair[0]).max()),
            }
        )
        pairs[f"{run.label} and {depth}"] = pair
    reports.write(output / "construction", reports.markdown(rows), rows)
    pictures.draw_agreement(pairs, output / "construction")


def write_responses(
    output: pathlib.Path, runs: Sequence[str], data_dir: str | None, num_images: int
) -> None:
    """Writes responses.md, responses.json and a picture into a directory.

    Args:
      output: the directory.
      runs: run directories.
      data_dir: where TensorFlow Datasets are; None: the runs'.
      num_images: see `MeasuredRun.network_to_measure`.

    Raises:
      UserError: a run is none.
    """
    deviations, seen = {}, []
    for run in measured.measured_runs(runs, measured.ANY_RUN, data_dir):
        train, source = run.sources()
        model = run.network_to_measure(train, num_images)
        print(f"{run.label} responds to {len(source):,} images", flush=True)
        deviations[run.label] = responses(model, source)
        seen.append(f"{len(source):,} images of {lossless(run.config.dataset)}")
    rows = [summary(label, of_layers) for label, of_layers in deviations.items()]
    text = (
        "Standard deviation of the responses of the 3x3 layers (Figure 7, which prints no "
        f"numbers):\n\n{reports.markdown(rows)}"
    )
    reports.write(output / "responses", text, {"summary": rows, "layers": deviations})
    title = f"Figure 7: responses to {' and '.join(dict.fromkeys(seen))}"
    pictures.draw_by_layer(deviations, output / "responses", "std", title)


def write_gradients(output: pathlib.Path, runs: Sequence[str], data_dir: str | None) -> None:
    """Writes gradients.md, gradients.json and a picture into a directory.

    Args:
      output: the directory.
      runs: run directories.
      data_dir: where TensorFlow Datasets are; None: the runs'.

    Raises:
      UserError: a run is none, or its network has no classifier.
    """
    rows, norms = [], {}
    for run in measured.measured_runs(runs, measured.ANY_RUN, data_dir):
        train, _ = run.sources()
        for step, network in run.networks_through_training():
            print(f"{run.label} at step {step:,}", flush=True)
            found = gradients.gradient_norms(network, train)
            rows.append(gradients.summary(run.label, step, found))
            norms[f"{run.label} at step {step:,}"] = found
    text = (
        "Norms of the gradients of the 3x3 kernels (section 4.1, which prints no numbers):\n\n"
        f"{reports.markdown(rows)}"
    )
    reports.write(output / "gradients", text, {"summary": rows, "layers": norms})
    pictures.draw_by_layer(
        norms,
        output / "gradients",
        "norm of the gradient",
        "Section 4.1: gradients of the 3x3 layers",
        is_logarithmic=True,
    )


def write_errors(output: pathlib.Path, runs: Sequence[str]) -> None:
    """Writes errors.md, errors.json and a picture into a directory.

    Args:
      output: the directory.
      runs: run directories, whose last evaluations stand beside what the paper published; there may
        be none.

    Raises:
      UserError: a run is none.
    """
    found = measured.measured_runs(runs, measured.ANY_RUN, with_networks=False)
    ours = errors.of_runs(found)
    rows = errors.rows(ours)
    text = f"Table 6, with runs of one's own beside it:\n\n{reports.markdown(rows)}"
    reports.write(output / "errors", text, rows)
    pictures.draw_errors_by_depth(errors.panels(ours), output / "errors")
