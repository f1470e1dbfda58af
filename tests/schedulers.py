"""What Slurm tells the tasks of a step, as its documentation of `srun` has it."""

SLURM_VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_STEP_NODELIST",
    "SLURM_STEP_TASKS_PER_NODE",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURMD_NODENAME",
)


def slurm_task(number, host, place, nodelist, per_node, job=4242, step=0):
    """The variables of a task.

    Args:
      number: of the task in its step.
      host: name of its node.
      place: its number among the tasks of the node.
      nodelist: all nodes, in Slurm's short form.
      per_node: number of tasks on each node.
      job, step: their numbers.
    """
    values = (
        *(job, step, sum(per_node), nodelist, ",".join(map(str, per_node))),
        *(number, place, host),
    )
    return dict(zip(SLURM_VARIABLES, map(str, values), strict=True))
