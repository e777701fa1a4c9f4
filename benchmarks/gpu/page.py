"""``python -m benchmarks.gpu.page FOLDER/gpu.json``: the numbers of a GPU as the tables of docs/GPU.md.

A part that was not measured says so.
"""

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.marked_section import replace_between

PAGE = Path(__file__).resolve().parents[2] / "docs" / "GPU.md"


def page(found: Mapping[str, Any]) -> str:
    """All parts as text between the page's marks."""
    titles: dict[str, tuple[str, Callable[[Any], str]]] = {
        "facts": ("The card", _facts),
        "steps": ("A step of 8 texts", _steps),
        "asking": ("An evaluation", _asking),
        "bits": ("The same bits", _bits),
        "graphs": ("A step as a CUDA graph", _graphs),
        "placements": ("Layers over two cards, and in main memory", _placements),
        "whole": ("Memory, told and taken", _whole),
        "arms": ("Beside plain Ray Tune", _arms),
    }
    parts = []
    for name, (title, write) in titles.items():
        content = found.get(name)
        if not content:
            text = "not measured"
        elif isinstance(content, Mapping) and ("failed" in content or "left out" in content):
            text = f"not measured: {content.get('failed') or content['left out']}"
        else:
            text = write(content)
        parts.append(f"### {title}\n\n{text}")
    return "\n\n".join(parts)


def _facts(found: Mapping[str, Any]) -> str:
    versions = found["versions"]
    software = f"torch {versions['torch']}, transformers {versions['transformers']}, Ray {versions['ray']}"
    if "card" not in found:
        return f"no GPU: what follows was measured on a CPU, in small; {software}."
    names = ("bf16_tflops", "copy_tb_s", "to_device_pageable_gb_s", "to_device_pinned_gb_s")
    ceilings = ", ".join(f"{name} {found[name]:.1f}" for name in names if name in found)
    return (
        f"{found['card']}, driver {found['driver']}, CUDA {found.get('cuda')}, cuDNN {found.get('cudnn')}; "
        f"{software}. {ceilings}"
    )


def _steps(rows: Sequence[Mapping[str, Any]]) -> str:
    return table(
        ("precision", "trained", "ms a step", "ms the card works", "kernels"),
        (
            (
                row["precision"],
                "an adapter" if row["kind"] == "relearn" else "all weights",
                f"{row['ms']:.1f}",
                _number(row.get("device_ms"), ".1f"),
                _number(row.get("kernels"), ".0f"),
            )
            for row in rows
        ),
    )


def _asking(found: Mapping[str, Any]) -> str:
    rows = found["rows"]
    first = {row["batch"]: row["seconds"] for row in rows if row["weights cast"] == "each time"}
    text = table(
        ("probes together", "weights cast", "seconds", "times as fast", "rows equal"),
        (
            (
                row["batch"],
                row["weights cast"],
                f"{row['seconds']:.2f}",
                f"{first[row['batch']] / row['seconds']:.2f}",
                {True: "yes", False: "no", None: ""}[row.get("rows equal")],
            )
            for row in rows
        ),
    )
    return f"{found['probes']} probes, {found['new_tokens']} new tokens, in mixed precision.\n\n{text}"


def _bits(found: Mapping[str, Mapping[str, Any]]) -> str:
    """How far apart, over how far the weights moved."""
    names = [name for name in next(iter(found.values())) if name != "answers again"]
    return table(
        ("trained", *names, "answers again"),
        (
            (
                "an adapter" if kind == "relearn" else "all weights",
                *(f"{of_kind[name]:.1e}" if of_kind[name] else "equal" for name in names),
                "equal" if of_kind["answers again"] else "differ",
            )
            for kind, of_kind in found.items()
        ),
    )


def _graphs(rows: Sequence[Mapping[str, Any]]) -> str:
    return table(
        ("trained", "ms one by one", "ms as a graph", "bits equal"),
        (
            (
                "an adapter" if row["adapter"] else "all weights",
                f"{row['eager_ms']:.1f}",
                f"{row['graph_ms']:.1f}",
                "yes" if row["bits equal"] else "no",
            )
            for row in rows
        ),
    )


def _placements(rows: Sequence[Mapping[str, Any]]) -> str:
    missing = [f"{row['placement']}: not measured: {row['not measured']}" for row in rows if "ms" not in row]
    measured = table(
        (
            "an adapter, its model on",
            "ms a step",
            "seconds an evaluation",
            "GiB at most, each card",
            "bits equal",
        ),
        (
            (
                row["placement"],
                f"{row['ms']:.1f}",
                f"{row['evaluation_seconds']:.1f}",
                ", ".join(f"{each:.1f}" for each in row["peak_gib"]) or "no card",
                "yes" if row["bits equal"] else "no",
            )
            for row in rows
            if "ms" in row
        ),
    )
    return "\n\n".join((measured, *missing))


def _whole(rows: Sequence[Mapping[str, Any]]) -> str:
    return table(
        ("method", "trained", "precision", "seconds", "GiB told", "GiB at most"),
        (
            (
                row["method"],
                "an adapter" if row["adapter"] else "all weights",
                row["precision"],
                f"{row['seconds']:.1f}",
                f"{row['told_gib']:.2f}",
                _number(row["peak_gib"], ".2f"),
            )
            for row in rows
        ),
    )


def _arms(found: Mapping[str, Any]) -> str:
    ours = found["arms"].get("B3", {}).get("wall_seconds")
    text = table(
        ("arm", "cells", "wall s", "wall / B3"),
        (
            (
                arm,
                facts["cells"],
                f"{facts['wall_seconds']:.1f}",
                f"{facts['wall_seconds'] / ours:.2f}" if ours else "",
            )
            for arm, facts in sorted(found["arms"].items())
        ),
    )
    return f"{text}\n\n{found['cells that differ']} cells differ between the arms."


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


def table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main() -> None:
    """See the module's text."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.gpu.page FOLDER/gpu.json")
    replace_between(PAGE, "gpu", page(json.loads(Path(sys.argv[1]).read_text())))


if __name__ == "__main__":
    main()
