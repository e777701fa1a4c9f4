"""What was measured, as the tables of docs/MODELS.md."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.architectures.beside_transformers import TEXTS
from benchmarks.architectures.families import GROUPS
from benchmarks.architectures.tokenizer_forms import CHAT_TEMPLATES
from benchmarks.architectures.tokenizers_beside_transformers import PROMPTS

FAMILY_HEAD = (
    "| family | attention | asked | ids | greedy | likelihood | full step | adapter step | adapter on |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
FORM_HEAD = (
    "| form | asked begins learned | ids | likelihood | greedy | chat templates |\n|---|---|---|---|---|---|"
)


def families_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The families by group, and below them what was refused."""
    tables, refusals = [], []
    for group, kinds in GROUPS.items():
        rows = [_family_row(found[kind]) for kind in kinds if "model" in found.get(kind, {})]
        tables.append(f"### {group}\n\n{FAMILY_HEAD}\n" + "\n".join(rows))
        refusals += [
            f"| `{kind}` | {_plain(found[kind]['refused'])} |"
            for kind in kinds
            if found.get(kind, {}).get("refused")
        ]
    measured = sum("model" in each for each in found.values())
    tables.append(
        "### What was refused\n\nOf the families above the self-test refused `all-linear`, and named the targets that "
        "stand in their last column; of the others it refused the model.\n\n| family | message |\n|---|---|\n"
        + "\n".join(refusals)
    )
    return f"{measured} of {len(found)} families work.\n\n" + "\n\n".join(tables)


def tokenizers_table(found: Sequence[Mapping[str, Any]]) -> str:
    """The forms of tokenizers."""
    prompts, templates = len(PROMPTS), len(CHAT_TEMPLATES)
    rows = [
        f"| {each['form']} | {each['prefix']} of {prompts} | {each['ids']} of {prompts} | {each['likelihood']:.0e} | "
        f"{each['greedy']} of {prompts} | {each['templates']} of {templates} |"
        for each in found
    ]
    return f"{FORM_HEAD}\n" + "\n".join(rows)


def _family_row(row: Mapping[str, Any]) -> str:
    texts = len(TEXTS)
    numbers = " | ".join(f"{row[name]:.0e}" for name in ("likelihood", "full_step", "adapter_step"))
    equal = f"{row['ids']} of {texts} | {row['greedy']} of {texts}"
    return (
        f"| `{row['kind']}` | {row['attention']} | {row['asked']} | {equal} | {numbers} | {row['targets']} |"
    )


def _plain(message: str) -> str:
    """A message on one line of a table, without the folder in which the model lay."""
    return re.sub(r"model=/\S*/", "model=", " ".join(message.split())).replace("|", "\\|")
