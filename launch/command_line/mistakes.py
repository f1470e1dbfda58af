"""What is said of a flag that is mistyped or has a value that it cannot have."""

import difflib
import os

# What others call a flag, and what may be meant; the first that a program has is named.
_OTHER_NAMES = {
    "lr": ("learning_rate",),
    "base_lr": ("learning_rate",),
    "wd": ("weight_decay",),
    "epochs": ("train_epochs",),
    "num_epochs": ("train_epochs",),
    "steps": ("train_steps",),
    "max_steps": ("train_steps",),
    "iterations": ("train_steps",),
    "batch": ("global_batch_size", "batch_size"),
    "bs": ("global_batch_size", "batch_size"),
    "batch_size": ("global_batch_size",),
    "train_batch_size": ("global_batch_size",),
    "global_batch_size": ("batch_size",),
    "model": ("network",),
    "arch": ("network", "depth"),
    "architecture": ("network", "depth"),
    "backbone": ("network", "depth"),
    "layers": ("depth",),
    "num_layers": ("depth",),
    "data": ("dataset", "data_dir"),
    "data_path": ("dataset", "data_dir"),
    "dataset_dir": ("dataset",),
    "root": ("dataset", "data_dir"),
    "folder": ("dataset",),
    "images": ("dataset",),
    "out": ("output", "run_dir"),
    "output": ("run_dir",),
    "output_dir": ("run_dir", "output"),
    "save_dir": ("run_dir", "output"),
    "model_dir": ("run_dir", "output"),
    "logdir": ("run_dir",),
    "log_dir": ("run_dir",),
    "checkpoint_dir": ("run_dir",),
    "run_dir": ("output",),
    "pretrained": ("weights",),
    "checkpoint": ("weights",),
    "ckpt": ("weights",),
    "init": ("weights",),
    "size": ("image_size",),
    "img_size": ("image_size",),
    "imgsz": ("image_size",),
    "input_size": ("image_size",),
    "resolution": ("image_size",),
    "crop_size": ("image_size",),
    "gpus": ("replicas",),
    "num_gpus": ("replicas",),
    "devices": ("replicas",),
    "precision": ("dtype",),
    "fp16": ("dtype",),
    "bf16": ("dtype",),
    "amp": ("dtype",),
    "random_seed": ("seed",),
    "warmup": ("warmup_epochs",),
    "lr_schedule": ("schedule",),
    "scheduler": ("schedule",),
    "sync_bn": ("synchronized_batch_norm",),
    "ema": ("ema_momentum",),
    "ema_decay": ("ema_momentum",),
    "smoothing": ("label_smoothing",),
    "augment": ("augmentation",),
    "val_images": ("validation_images",),
    "val_split": ("validation_images", "split"),
    "save_every": ("checkpoint_every_steps",),
    "eval_every": ("evaluate_every_steps",),
    "early_stopping": ("patience",),
    "early_stopping_patience": ("patience",),
    "balanced": ("balanced_sampling",),
    "crops": ("protocol",),
    "tta": ("protocol",),
    "retries": ("retry_for",),
    "cacert": ("ca_file",),
    "cert": ("certificate_file",),
    "token": ("token_file",),
    "quantize": ("optimize",),
    "topk": ("top",),
    "top_k": ("top",),
}


def unknown_flag(name, names):
    """What is said of a flag that a program does not have.

    Args:
      name: what was given.
      names: those of the program's flags.
    """
    for file in (f"-{name}", f"--{name}"):
        if os.path.lexists(file):
            return f"There is no flag {file}. The file of this name is written ./{file}."
    meant = likely_names(name, names)
    hint = f" Did you mean {' or '.join(f'--{each}' for each in meant)}?" if meant else ""
    return f"There is no flag --{name}.{hint} --help lists all flags."


def likely_names(name, names):
    """The flags of a program that may be meant by a name that it does not have."""
    name = name.lower().replace("-", "_")
    name = name.removeprefix("no") if name.removeprefix("no") in names else name
    if name in names:
        return [name]
    known = [each for each in _OTHER_NAMES.get(name, ()) if each in names]
    return known[:1] or difflib.get_close_matches(name, [*names, "help", "version"], n=2)


def impossible_value(flag, value, reason):
    """What is said of a value that a flag cannot have.

    Args:
      flag: `absl.flags.Flag`.
      value: what was given.
      reason: what its parser says, which of numbers is Python's.
    """
    expected = {"int": "an integer", "float": "a number", "bool": "true or false"}
    kind = flag.parser.flag_type()
    reason = f"must be {expected[kind]}" if kind in expected else reason
    return f"`{flag.name}` {reason}. Received: --{flag.name}={value}"
