"""``python -m benchmarks.architectures``: tiny models of every family, and tokenizers of every form.

    python -m benchmarks.architectures [--only llama,gpt2] [--results FOLDER] [--write]

A family that was measured lies in ``FOLDER`` and is not measured again. ``--write`` brings docs/MODELS.md up to date.
"""

import argparse
import json
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

from transformers.utils import logging

from benchmarks.architectures.beside_transformers import compare
from benchmarks.architectures.families import FAMILIES
from benchmarks.architectures.tables import families_table, tokenizers_table
from benchmarks.architectures.tokenizers_beside_transformers import measured_forms
from benchmarks.marked_section import replace_between
from study.errors import RelearnError

ROOT = Path(__file__).resolve().parents[2]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.architectures")
    parser.add_argument("--only", help="these families, e.g. llama,gpt2")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "architectures")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/MODELS.md")
    return parser.parse_args()


def main() -> None:
    """See the module's text."""
    options = arguments()
    warnings.simplefilter("ignore")  # of families that say at each use that they are old
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options.results.mkdir(parents=True, exist_ok=True)
    for kind in options.only.split(",") if options.only else FAMILIES:
        file = options.results / f"{kind}.json"
        if not file.exists():
            file.write_text(json.dumps(_measured(kind)), encoding="utf-8")
        print(file.read_text(encoding="utf-8"), flush=True)
    forms = options.results / "tokenizers.jsonl"
    if not forms.exists():
        forms.write_text("\n".join(json.dumps(asdict(each)) for each in measured_forms()), encoding="utf-8")
    found = {path.stem: json.loads(path.read_text()) for path in sorted(options.results.glob("*.json"))}
    tables = {
        "families": families_table(found),
        "tokenizers": tokenizers_table([json.loads(line) for line in forms.read_text().splitlines()]),
    }
    for name, text in tables.items():
        print(text)
        if options.write:
            replace_between(ROOT / "docs" / "MODELS.md", name, text)


def _measured(kind: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return asdict(compare(kind, Path(folder) / kind))
        except RelearnError as error:
            return {"kind": kind, "refused": str(error).replace(f"{folder}/", "")}


if __name__ == "__main__":
    main()
