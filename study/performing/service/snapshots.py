"""What a service says of its models, when a study is planned."""

from collections.abc import Callable, Mapping

from study.errors import PreflightError
from study.performing.service.client import ServiceClient
from study.performing.service.errors import ServiceRefusedError, ServiceSilentError
from study.performing.service.steps import StepClient
from study.settings.relearning import Relearning


def snapshots(relearn: Relearning, recorded: Mapping[str, str]) -> Callable[[str], str]:
    """Gives the snapshot of a model by its name there.

    Args:
        recorded: what a begun study wrote down; it holds for a model that is gone since.

    Raises:
        PreflightError: in the call: no key, no answer, or no such model.
    """
    client: ServiceClient | StepClient | None = None

    def ask(model: str) -> str:
        nonlocal client
        if client is None:
            url = relearn.base_url or ""
            client = (
                StepClient(url, None)
                if relearn.by == "steps"
                else ServiceClient(url, relearn.dialect, relearn.form)
            )
        try:
            found = client.snapshot(model)
        except (ServiceRefusedError, ServiceSilentError) as error:
            raise PreflightError(f"relearn.base_url={relearn.base_url}: {error}; check URL and key") from None
        found = recorded.get(model) if found is None else found
        if found is None:
            raise PreflightError(
                f"relearn.models: {relearn.base_url} has no model {model!r}; give the names that it lists"
            )
        return found

    return ask
