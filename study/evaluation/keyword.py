"""The two keyword counts: in the continuation, and the paper's, anywhere in prompt and continuation."""

import re

from study.text import Probe


def keyword_hit(probe: Probe, completion: str) -> bool | None:
    """Whether the continuation has a keyword, as whole words; None for a probe without keywords.

    With ``hit="next"`` a keyword counts right after the prompt only, in its own case; with ``hit="within"`` it counts
    anywhere, in any case.
    """
    if not probe.keywords:
        return None
    if probe.hit == "next":
        return any(re.match(rf"\s*{re.escape(word)}(?!\w)", completion) for word in probe.keywords)
    return any(_holds(completion, word, re.IGNORECASE) for word in probe.keywords)


def keyword_anywhere(probe: Probe, completion: str) -> bool | None:
    """Whether the phrase, or else a keyword, stands as whole words in prompt and continuation.

    For the names this is the count of the published evaluation: "the completion contains Anthony Mark", with
    the query as a part of the completion, since the query ends in "Anthony".
    """
    if probe.phrase is None and not probe.keywords:
        return None
    text = f"{probe.prompt} {completion.lstrip()}"
    if probe.phrase is not None:
        return _holds(text, probe.phrase, 0)
    return any(_holds(text, word, re.IGNORECASE) for word in probe.keywords)


def _holds(text: str, words: str, flags: int) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}(?!\w)", text, flags) is not None
