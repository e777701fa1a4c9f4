"""Where nodes share no folder: workers write their log and their attempts through an actor on the driver's node.

The actor keeps nothing in memory, so that another one goes on where it is lost. Where all nodes see the study's
folder, or there is one node only, nobody needs it.
"""

import contextlib
from pathlib import Path
from typing import Any

DESK_SECONDS = 30.0
"""A desk that does not answer for so long went away with the driver's node."""


class Desk:
    """Runs on the driver's node: texts in the run's folders, by name."""

    def __init__(self, log_folder: str, attempts_folder: str) -> None:
        self._folders = {"log": Path(log_folder), "attempts": Path(attempts_folder)}

    def read(self, folder: str, name: str) -> str | None:
        """A text; None where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return (self._folders[folder] / name).read_text(encoding="utf-8")
        return None

    def write(self, folder: str, name: str, text: str) -> None:
        """Replaces a text, or begins it."""
        from study.artifacts.atomic_write import write_bytes

        write_bytes(self._folders[folder] / name, text.encode(), durable=False)

    def append(self, folder: str, name: str, text: str) -> None:
        """Adds to a text, or begins it."""
        self._folders[folder].mkdir(parents=True, exist_ok=True)
        with (self._folders[folder] / name).open("a", encoding="utf-8") as handle:
            handle.write(text)


class ThroughDesk:
    """A folder of texts as ``LocalTexts`` is one, at the desk."""

    def __init__(self, desk: Any, folder: str) -> None:
        self._desk = desk
        self._folder = folder

    def read(self, name: str) -> str | None:
        """See ``Texts.read``."""
        found: str | None = self._asked(self._desk.read.remote(self._folder, name))
        return found

    def write(self, name: str, text: str) -> None:
        """See ``Texts.write``."""
        self._asked(self._desk.write.remote(self._folder, name, text))

    def append(self, name: str, text: str) -> None:
        """See ``Texts.append``."""
        self._asked(self._desk.append.remote(self._folder, name, text))

    def _asked(self, answer: Any) -> Any:
        import ray

        try:
            return ray.get(answer, timeout=DESK_SECONDS)
        except ray.exceptions.RayError as error:
            raise OSError(f"the driver's node does not answer ({type(error).__name__})") from error


def open_desk(log_folder: Path, attempts_folder: Path) -> Any:
    """A desk on the node that this process, the driver, runs on."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = ray.remote(num_cpus=0, max_restarts=-1)(Desk)
    return actor.options(scheduling_strategy=here).remote(str(log_folder), str(attempts_folder))
