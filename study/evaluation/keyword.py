"""The two keyword counts: in the continuation, and the paper's, anywhere in prompt and continuation.

What a word is, and where one may stand, is said in ``study.text.words``.
"""

from study.text.examples import Probe
from study.text.words import begins, holds


def keyword_hit(probe: Probe, completion: str) -> bool | None:
    """Whether the continuation has a keyword, as whole words; None for a probe without keywords.

    With ``hit="next"`` a keyword counts right after the prompt only, in its own case; with ``hit="within"`` it counts
    anywhere, in any case.
    """
    if not probe.keywords:
        return None
    if probe.hit == "next":
        return any(begins(completion, word) for word in probe.keywords)
    return any(holds(completion, word, any_case=True) for word in probe.keywords)


def keyword_anywhere(probe: Probe, completion: str) -> bool | None:
    """Whether the phrase, or else a keyword, stands as whole words in prompt and continuation.

    For the names this is the count of the published evaluation: "the completion contains Anthony Mark", with
    the query as a part of the completion, since the query ends in "Anthony".
    """
    if probe.phrase is None and not probe.keywords:
        return None
    text = f"{probe.prompt} {completion.lstrip()}"
    if probe.phrase is not None:
        return holds(text, probe.phrase, any_case=False)
    return any(holds(text, word, any_case=True) for word in probe.keywords)
