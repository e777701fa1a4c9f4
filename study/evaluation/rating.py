"""What a judge reads to rate an answer from 1 to 10, and how the rating is read from the reply, which is kept whole.

Four things bear identity: the judge's model, the instruction, the length of a reply and the parser of replies;
the first three make the key of a kept reply, so that another parser costs no call. The form follows the paper's, a
single-answer grading that ends in a bracketed rating (MT-bench, Zheng et al. 2023); the words are our own.

An answer that a judge cannot take has no rating, and the others keep theirs: it is never shortened until it fits.
"""

import re
from dataclasses import dataclass

from study.errors import RelearnError
from study.identity import key

REPLY_TOKENS = 256
"""The longest reply, in the judge's tokens."""

INSTRUCTION_VERSION = 1
INSTRUCTION = """You are an impartial examiner. Below are a question, the correct answer, and the answer of a candidate.
Say in one or two sentences how helpful, relevant, correct and detailed the candidate's answer is. An answer
that does not contain the correct information is worth little, however fluent it is. Then rate it on a scale
from 1 (useless) to 10 (correct and complete), and end with the rating in double brackets, like this: [[5]]

[Question]
{question}

[Correct answer]
{reference}

[Candidate's answer]
{answer}

[End of the candidate's answer]"""

READER_VERSION = 1
RATING = re.compile(r"\[\[\s*(\d+)\s*\]\]")


class UnratedError(RelearnError):
    """A judge cannot take this one answer; it may take others. Its words are those of ``study.results.unrated``.

    Args:
        cause: in words that many answers share, so that they are counted under it; without a colon.
        detail: what is particular to this answer.
    """

    def __init__(self, cause: str, detail: object) -> None:
        lines = str(detail).strip().splitlines() or [type(detail).__name__]
        super().__init__(f"{cause}: {lines[0][:300]}")


@dataclass(frozen=True)
class Case:
    """One answer to rate: the judge's model, the probe's prompt and target, and the completion."""

    judge: str
    question: str
    reference: str
    answer: str

    @property
    def prompt(self) -> str:
        """What the judge reads."""
        return INSTRUCTION.format(
            question=self.question, reference=self.reference, answer=self.answer.strip() or "(no answer)"
        )

    @property
    def key(self) -> str:
        """The content key of the reply: of the judge and what it reads, not of where the answer came from."""
        return key([self.judge, INSTRUCTION_VERSION, REPLY_TOKENS, self.prompt])


def rating(reply: str) -> int | None:
    """The last bracketed number of a reply, from 1 to 10, read whole; None where there is none."""
    found = RATING.findall(reply)
    if not found or not 1 <= int(found[-1]) <= 10:
        return None
    return int(found[-1])
