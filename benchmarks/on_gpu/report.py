"""What the parts of the GPU's benchmark share: sizes, deadline, timing, results as they come."""

import json
import time

CLASSES = 1000


class Report:
    """Prints each result when it is there, and adds it to a file, so that a run cut off says some.

    Args:
      path: of the file, of a JSON object in each line.
      smoke: whether all is tried on a processor, with the smallest sizes.
      deadline: `time.time()` after which nothing new begins.

    Attributes:
      smoke: the same.
      device: TensorFlow's name of what is measured.
      size: side of the images.
      training_batches, inference_batches: batch sizes, the most telling first.
    """

    def __init__(self, path, smoke, deadline):
        self.smoke = smoke
        self.device = "CPU:0" if smoke else "GPU:0"
        self.size = 32 if smoke else 224
        self.training_batches = (2,) if smoke else (256, 128)
        self.inference_batches = (1,) if smoke else (1, 32, 256)
        self._path = path
        self._deadline = deadline
        self._seconds = 0.02 if smoke else 2.0

    def measure(self, name, function):
        """Reports the figures that a function gives, a dict, or its error in their place."""
        if time.time() > self._deadline:
            self.add(name, {"skipped": "out of time"})
            return
        try:
            figures = function()
        except Exception as error:  # The next measurement is still worth having.
            figures = {"failed": f"{type(error).__name__}: {str(error)[:400]}"}
        self.add(name, figures)

    def add(self, name, figures):
        """Reports the figures of one measurement."""
        shown = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items())
        print(f"{name}: {shown}", flush=True)
        with open(self._path, "a") as file:
            file.write(json.dumps({"name": name, **figures}) + "\n")

    def rate(self, name, make_step, images, wait, peak=None):
        """Reports how many images a second a step takes.

        Args:
          name: of the measurement.
          make_step: function that makes the step, a function of nothing.
          images: number of images of a step.
          wait: waits for a step's value; steps before it may still run.
          peak: function that gives the device's peak of memory in GiB.
        """

        def figures():
            started = time.perf_counter()
            step = make_step()
            wait(step())
            first = time.perf_counter() - started
            for _ in range(2):
                wait(step())
            seconds = self._seconds_of_step(step, wait)
            memory = {} if peak is None else {"peak_gib": round(peak(), 2)}
            return {
                "images_per_second": round(images / seconds, 1),
                "milliseconds": round(1000 * seconds, 2),
                "seconds_to_first": round(first, 1),
                **memory,
            }

        self.measure(name, figures)

    def _seconds_of_step(self, step, wait):
        """Of the best of some rounds, in which steps need not wait for each other."""
        started = time.perf_counter()
        wait(step())
        steps = max(1, int(self._seconds / 5 / (time.perf_counter() - started)))
        rounds = []
        while sum(rounds) < self._seconds and time.time() < self._deadline:
            started = time.perf_counter()
            for _ in range(steps):
                value = step()
            wait(value)
            rounds.append(time.perf_counter() - started)
        return min(rounds, default=float("nan")) / steps


def read(path):
    """The results in a file, dicts by name."""
    with open(path) as file:
        return {line.pop("name"): line for line in map(json.loads, file)}


def is_good(figures):
    """Whether a result is neither an error nor different from what it should be."""
    return "failed" not in figures and figures.get("is", "good") == "good"
