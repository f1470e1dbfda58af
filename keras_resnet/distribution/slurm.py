"""The workers of a training as Slurm has them: the tasks of a step, which `srun` starts."""

import json
import os

import tensorflow as tf

from keras_resnet.checks import UserError

# Of each step a block of ports, one for each of its tasks on a node: below those that Linux gives
# to whoever asks for any (32768 and up), and those of services in Kubernetes (30000 and up).
_BLOCKS = range(10_000, 30_000, 16)
# So many steps of a job come before the first of the next job.
_STEPS_OF_JOB = 7

# What is read of a task, by the resolver or here.
_VARIABLES = (
    *("SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST"),
    *("SLURM_STEP_TASKS_PER_NODE", "SLURM_PROCID", "SLURM_LOCALID", "SLURMD_NODENAME"),
)


def set_tf_config() -> None:
    """Sets TF_CONFIG for a task of a step of several, where it is not set; says so.

    In a batch script, and in a step of one task, nothing happens: the process trains alone. So it
    does with TF_CONFIG={}.

    Raises:
      UserError: Slurm's variables cannot be used.
    """
    if "TF_CONFIG" in os.environ or os.environ.get("SLURM_STEP_NUM_TASKS", "1") == "1":
        return
    try:
        config = _tf_config_of_step()
    except (RuntimeError, KeyError, ValueError) as error:
        received = {name: os.environ.get(name) for name in _VARIABLES}
        raise UserError(
            f"Slurm's variables do not tell the workers ({error}). Set TF_CONFIG for each task, or "
            'TF_CONFIG={} for trainings that are alone. See BUILD.md, "Several machines". '
            f"Received: {received}"
        ) from error
    os.environ["TF_CONFIG"] = json.dumps(config)
    step = f"{os.environ['SLURM_JOB_ID']}.{os.environ['SLURM_STEP_ID']}"
    print(f"Slurm's step {step} sets TF_CONFIG.", flush=True)


def _tf_config_of_step() -> dict[str, object]:
    """What TF_CONFIG must say in this task.

    TensorFlow's resolver expands the list of hosts. It orders them as texts, n10 before n9, and
    takes the tasks of a node for successive ones, as Slurm need not: so this task looks for itself
    by its node and its place there, and not by its number.
    """
    tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
    port = _first_port()
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=port,
        # Which GPUs a task has is Slurm's matter; the resolver wants as many as tasks.
        gpus_per_node=tasks,
        gpus_per_task=1,
        auto_set_gpu=False,
    )
    workers = resolver.cluster_spec().job_tasks("worker")
    own = f"{os.environ['SLURMD_NODENAME']}:{port + int(os.environ['SLURM_LOCALID'])}"
    if own not in workers:
        raise ValueError(f"this task, {own}, is none of {', '.join(workers)}")
    return {
        "cluster": {"worker": workers},
        "task": {"type": "worker", "index": workers.index(own)},
    }


def _first_port() -> int:
    """The port of the first task on each node; jobs and steps that follow have others."""
    job, step = int(os.environ["SLURM_JOB_ID"]), int(os.environ["SLURM_STEP_ID"])
    return _BLOCKS[(job * _STEPS_OF_JOB + step) % len(_BLOCKS)]
