"""The verb `relearn serve`, which the front door adds to its own.

What validates a recorded spec is handed in: this room does not know it.
"""

import fcntl
import os
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.command_line.options import a_folder, named_study
from study.artifacts.atomic_write import write_file
from study.errors import PreflightError, SpecError, counted
from study.results.near_studies import no_study

if TYPE_CHECKING:  # `relearn --help` answers at once
    from cluster.serving.served_models import Served
    from cluster.serving.service import Choices
    from cluster.study_folder.study_plan import Validate

SHORTEST_TOKEN = 16
BACKLOG = 64
"""Connections that wait to be accepted, and that are accepted in one go."""
OPTION_OF = {"learning_rate": "--learning-rate", "batch_size": "--batch-size"}
GRACE_SECONDS = 5
"""What is being answered at Ctrl-C has so long."""


def add_verb(app: typer.Typer, validate: "Validate") -> None:
    """Adds it to an app.

    Args:
        validate: makes a spec of a study's recorded one.
    """

    @app.command()
    def serve(
        what: Annotated[
            Path,
            typer.Argument(metavar="STUDY|FOLDER", callback=named_study, help="A study, or a model folder."),
        ],
        host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
        port: Annotated[
            int, typer.Option("--port", min=0, max=65535, help="The port; 0: a free one.")
        ] = 8765,
        state: Annotated[
            Path | None,
            typer.Option(
                "--state",
                help="Where files, jobs and the token are kept [STUDY/service].",
                callback=a_folder,
            ),
        ] = None,
        learning_rate: Annotated[
            float | None, typer.Option("--learning-rate", help="Of the multiplier 1 [as the study relearns].")
        ] = None,
        batch_size: Annotated[
            int | None,
            typer.Option("--batch-size", min=1, help="Where a job names none [as the study relearns]."),
        ] = None,
        rank: Annotated[
            int | None, typer.Option("--rank", min=0, help="Of the adapter that jobs train; 0: all weights.")
        ] = None,
        epochs: Annotated[int, typer.Option("--epochs", min=1, help="Where a job names none.")] = 3,
        keep_last: Annotated[
            int | None, typer.Option("--keep-last", min=1, help="Checkpoints that a job keeps [all].")
        ] = None,
        upload_mb: Annotated[int, typer.Option("--upload-mb", min=1, help="The largest file, in MB.")] = 100,
        jobs: Annotated[int, typer.Option("--jobs", min=1, help="Jobs that may wait.")] = 1000,
    ) -> None:
        """Offer a study's models through a fine-tuning API of OpenAI's shape."""
        from cluster.study_folder.study_folder import STUDY_FILE
        from cluster.study_folder.working_folder import where_begun

        folder = (state or what / "service").absolute()
        began: AbstractContextManager[Path] = (
            where_begun(what) if (what / STUDY_FILE).exists() else nullcontext(what)
        )
        if not (what / STUDY_FILE).exists() and not (what / "config.json").exists():
            raise SpecError(no_study(what, model=True))
        if state is None and not (what / STUDY_FILE).exists():
            raise SpecError(
                "--state: a model folder is only read; name a folder for files, jobs and the token"
            )
        changes = {"learning_rate": learning_rate, "batch_size": batch_size}
        given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        if rank is not None:
            given["lora"] = {"rank": rank, "alpha": 2 * rank} if rank else None
        _check_numbers(given)
        with began as there:
            models, choices = _offered(there, validate)
            optimiser = choices.optimiser
            choices = replace(
                choices,
                optimiser=optimiser.model_copy(update=given),
                epochs=epochs,
                keep_last=keep_last,
                upload_bytes=upload_mb * 10**6,
                most_open=jobs,
            )
            trains_all = choices.optimiser.lora is None
            if trains_all and any(model.source.precision == "bfloat16" for model in models.values()):
                raise PreflightError(
                    "--rank: the models have bfloat16 weights, which lose most small updates, so jobs cannot train all "
                    "of them; expected adapters: --rank 16"
                )
            with _held(folder):
                _listen(models, choices, folder, host, port)


def _check_numbers(given: Mapping[str, Any]) -> None:
    """Of an optimiser, as options gave them: before any model is read.

    Raises:
        SpecError: a number is out of its range.
    """
    from pydantic import ValidationError

    from study.settings.optimiser import Optimiser

    try:
        Optimiser.model_validate({"learning_rate": 1.0, "batch_size": 1, **given})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = str(problem["loc"][0])
        option, value = ("--rank", given["lora"]["rank"]) if key == "lora" else (OPTION_OF[key], given[key])
        words = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise SpecError(f"{option} {value}: {words}") from None


def _offered(what: Path, validate: "Validate") -> tuple[Mapping[str, "Served"], "Choices"]:
    """The models, and what the service chooses: as the study relearns."""
    from cluster.serving.served_models import of_folder, of_study
    from cluster.serving.service import Choices
    from cluster.study_folder.study_folder import STUDY_FILE, store_that_is_there
    from cluster.study_folder.study_plan import recorded_plan
    from study.settings.optimiser import LoRA, Optimiser

    if not (what / STUDY_FILE).exists():
        return of_folder(what), Choices(Optimiser(learning_rate=1e-4, batch_size=8, lora=LoRA()))
    plan = recorded_plan(what, validate)
    spec = plan.spec
    choices = Choices(
        spec.relearn.optimiser,
        max_length=spec.max_length,
        micro_batch=spec.execution.micro_batch,
        threads=spec.execution.resources("relearn").cpus,
    )
    return of_study(plan, store_that_is_there(what)), choices


def _listen(models: Mapping[str, "Served"], choices: "Choices", folder: Path, host: str, port: int) -> None:
    try:
        import python_multipart  # noqa: F401
        import uvicorn

        from cluster.serving.connections import Connection
        from cluster.serving.routes import application
    except ImportError as error:
        raise PreflightError(
            f"`relearn serve` needs a package that is not installed ({error.name}); pip install 'relearn[serve]'"
        ) from None
    from cluster.serving.service import Service

    with _bound(host, port) as listening:  # from here on a client waits, and is not refused
        app = application(Service(models, folder, choices), _token(folder))
        config = uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_level="error",  # below stands what any client can make it write
            access_log=False,
            server_header=False,
            lifespan="on",
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        shown = f"[{host}]" if ":" in host else host
        sys.stderr.write(
            f"{counted(len(models), 'model')} at http://{shown}:{listening.getsockname()[1]}/v1; the token stands in "
            f"{folder / 'token'}. Ctrl-C ends it.\n"
        )
        sys.stderr.flush()
        with suppress(KeyboardInterrupt):  # uvicorn has ended in good order, and raises it once more
            uvicorn.Server(config).run(sockets=[listening])
        # At once: a thread that still answers or trains would compute on in an interpreter that takes itself apart,
        # which torch ends with SIGABRT. What is on the disk is whole at any moment, and the lock goes with the process.
        sys.stderr.flush()
        os._exit(0)


def _bound(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        raise PreflightError(
            f"--host {host} --port {port}: {getattr(error, 'strerror', None) or error}; expected an address of this "
            "machine and a port that nothing else uses (--port 0 takes a free one)"
        ) from None


def _token(folder: Path) -> str:
    """The folder's own, drawn when there is none; readable by its owner alone."""
    path = folder / "token"
    if not path.exists():
        write_file(path, _draw_token)
    given = path.read_bytes().decode("ascii", "replace").strip()
    if len(given) < SHORTEST_TOKEN or not given.isascii() or not given.isprintable() or " " in given:
        raise SpecError(
            f"{path}: expected {SHORTEST_TOKEN} characters or more, without blanks; delete the file, and a new one is "
            "drawn"
        )
    return given


def _draw_token(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(32) + "\n")


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """One server a folder."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise PreflightError(
                f"{folder}: another `relearn serve` uses it; name another folder with --state"
            ) from None
        yield
