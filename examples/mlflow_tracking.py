"""Follows a training in MLflow, also over interruptions; another tracker is as many lines.

pip install mlflow
python examples/mlflow_tracking.py runs/followed
mlflow ui --backend-store-uri sqlite:///mlflow.db
"""

import json
import pathlib
import sys

import mlflow

import keras_resnet

config = keras_resnet.TrainConfig(
    dataset="shapes",
    network="CifarResNet",
    depth=8,
    train_steps=200,
    global_batch_size=32,
    learning_rate=0.1,
    weight_decay=1e-4,
    task=keras_resnet.ClassificationOptions(augmentation="none", mean="channel", image_size=32),
)


def log(row):
    """Gives MLflow a line of metrics, such as {"step": 100, "split": "train", "loss": 0.5, ...}."""
    step, split = row.pop("step"), row.pop("split")
    mlflow.log_metrics({f"{split}/{name}": value for name, value in row.items()}, step=step)


def main(run_dir):
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    # A resumed training goes on in the run of MLflow that it began in.
    known = pathlib.Path(f"{run_dir}.mlflow")
    run_id = known.read_text() if known.exists() else None
    with mlflow.start_run(run_id=run_id, run_name=None if run_id else run_dir.name) as run:
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(run.info.run_id)
        mlflow.log_params(json.loads(config.to_json()))
        keras_resnet.train(config, run_dir, on_metrics=log)
        mlflow.log_artifact(run_dir / "environment.json")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
