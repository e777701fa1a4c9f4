"""A judge's rating of an answer, 1 to 10: the instruction, the reply kept whole, and how it is read.

Four things bear identity: the judge's model, the instruction, how long a reply may be and the reader of replies;
the first three key the kept replies, so that another reader costs no call. The form follows the paper's, a
single-answer grading that ends in a bracketed rating (MT-bench, Zheng et al. 2023); the words are our own.
"""

import re
from dataclasses import dataclass
from typing import Protocol

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


class Judge(Protocol):
    """Who rates. A new kind of judge is a class with these two."""

    model: str

    def reply(self, prompt: str) -> str:
        """What the judge answers, whole.

        Raises:
            PreflightError: it cannot be reached, or refuses.
        """
        ...


@dataclass(frozen=True)
class Case:
    """One answer to rate. Its key says which judge is asked what, and nothing of where it came from."""

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
        """The content key of the reply."""
        return key([self.judge, INSTRUCTION_VERSION, REPLY_TOKENS, self.prompt])


def rating(reply: str) -> int | None:
    """The last bracketed number of a reply, from 1 to 10, read whole; None where there is none."""
    found = RATING.findall(reply)
    if not found or not 1 <= int(found[-1]) <= 10:
        return None
    return int(found[-1])
