"""The two keyword counts: right after the prompt, and the paper's, anywhere in prompt and continuation."""

import re


def keyword_hit(completion: str, target: str) -> bool:
    """Whether the continuation begins with the target, as whole words; case counts."""
    return re.match(rf"\s*{re.escape(target)}(?!\w)", completion) is not None


def keyword_anywhere(prompt: str, completion: str, phrase: str | None) -> bool | None:
    """Whether the phrase stands, as whole words, in prompt and continuation; None without a phrase.

    This is the count of the published evaluation: "the completion contains Anthony Mark", with the query
    as a part of the completion, since the query ends in "Anthony".
    """
    if phrase is None:
        return None
    text = f"{prompt} {completion.lstrip()}"
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text) is not None
