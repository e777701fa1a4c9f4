"""The Parquet file in which a stage stores its answers. Prompts and targets are in the plan. Without torch."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

ANSWERS_FILE = "answers.parquet"
ANSWERS = pa.schema(
    [
        pa.field("probe", pa.string(), nullable=False),
        pa.field("completion", pa.string(), nullable=False),
        pa.field("target_nll", pa.float64(), nullable=False),
        pa.field("target_rank", pa.int64(), nullable=False),
        pa.field("target_tokens", pa.int64(), nullable=False),
    ]
)
SERVED = pa.schema([field.with_nullable(field.name.startswith("target_")) for field in ANSWERS])
"""Of a service, which may give texts alone."""


def answers_table(rows: list[dict[str, Any]], schema: pa.Schema = ANSWERS) -> pa.Table:
    """Rows of answers as a table of the schema."""
    return pa.Table.from_pylist(rows, schema=schema)


def read_answers(path: Path) -> list[dict[str, Any]]:
    """The rows of an answers file, its page checksums verified.

    Raises:
        OSError: a checksum does not match.
    """
    rows: list[dict[str, Any]] = pq.read_table(path, page_checksum_verification=True).to_pylist()
    return rows
