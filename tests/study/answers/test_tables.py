"""A table is read as it stands, or refused with its row; so are the files of text, and the values of a spec."""

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.loading import load_space
from study.errors import SpecError
from study.scenarios.sources import lines_of, read_paragraphs, read_table, read_text
from study.scenarios.table_files import read_rows
from study.scenarios.wmdp import Wmdp

SAID = {"question": "Who sings?", "answer": "Eve sings."}


def texts(folder: Path, name: str, content: bytes | str) -> list[str]:
    """The answers of a table with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [row.text("answer") for row in read_table(str(path), ("answer",), "scenario.forget")]


BREAKS = [
    "\n",
    "\r\n",
    "\r",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\n\n",
    "\ufeff",
]


@pytest.mark.parametrize("sign", BREAKS, ids=ascii)
def test_no_line_break_within_a_text_ends_its_row(tmp_path: Path, sign: str) -> None:
    text = f"in{sign}Ulm"
    row = json.dumps({"answer": text}, ensure_ascii=False)
    assert texts(tmp_path, "t.jsonl", f"{row}\n{row}\n") == [text, text]
    assert texts(tmp_path, "t.json", f"[{row},\n {row}]") == [text, text]
    assert texts(tmp_path, "t.csv", f'n,answer\n1,"{text}"\n2,"{text}"\n') == [text, text]


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).map(
    lambda text: f"a{text}z"
)


@given(st.lists(TEXTS, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, written: list[str], end: str, mark: bool
) -> None:
    """Through all four formats, with and without byte order mark, whatever ends the lines."""
    folder = tmp_path_factory.mktemp("tables")
    begin = "\ufeff" if mark else ""
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["answer", "n"], *([text, 1] for text in written)])
    lines = [json.dumps({"answer": text}, ensure_ascii=False) for text in written]
    assert texts(folder, "t.csv", begin + table.getvalue()) == written
    assert texts(folder, "t.jsonl", begin + end.join([*lines, ""])) == written
    assert texts(folder, "t.json", begin + f"[{','.join(lines)}]") == written
    pq.write_table(pa.table({"answer": written}), folder / "t.parquet")
    assert [row["answer"] for row in read_rows(folder / "t.parquet")] == written


SOUND = {
    "text that looks like something else": ("t.csv", "answer\nNA\ntrue\n007\n1.50\n2024-01-02\n", None),
    "quotes within": (
        "t.csv",
        'answer,n\n"She said ""no"", twice",1\n5" pipe,2\n',
        ['She said "no", twice', '5" pipe'],
    ),
    "empty lines": ("t.csv", "answer\n\na\n\n\nb\n", ["a", "b"]),
    "a long cell": ("t.csv", "answer\n" + "x" * 300_000 + "\n", ["x" * 300_000]),
    "numbers of JSON": (
        "t.jsonl",
        '{"answer": 1984}\n{"answer": 1.10}\n{"answer": 123456789012345678901234567890}\n{"answer": "2024-01-02"}',
        ["1984", "1.10", "123456789012345678901234567890", "2024-01-02"],
    ),
    "blank lines of JSON": ("t.jsonl", '\r\n{"answer": "a"}\r\n \t\r\n{"answer": "b"}', ["a", "b"]),
    "a pair of surrogates": ("t.jsonl", '{"answer": "\\ud83d\\ude00"}', ["\U0001f600"]),
    "what nobody asks for": ("t.jsonl", '{"answer": "a", "n": NaN, "more": [null, {"x": true}]}', ["a"]),
}


@pytest.mark.parametrize(("name", "content", "expected"), SOUND.values(), ids=SOUND)
def test_what_is_sound_is_taken_as_it_stands(
    tmp_path: Path, name: str, content: str, expected: list[str] | None
) -> None:
    assert texts(tmp_path, name, content) == (expected or content.split()[1:])


MALFORMED = {
    "a cell too many": ("t.csv", "question,answer\na,b\nc,d,e\n", ["row 2 (line 3)", "3 cells", "2 columns"]),
    "a cell too few": ("t.csv", "question,answer\na,b\n\nc\n", ["row 2 (line 4)", "1 cells"]),
    "a quote that is not closed": ("t.csv", 'question,answer\na,b\nc,"d\ne,f\n', ["row 2", "no CSV"]),
    "text after a quote": ("t.csv", 'question,answer\na,"b" c\n', ["row 1 (line 2)", "no CSV"]),
    "a column twice": ("t.csv", "question,answer,answer\na,b,c\n", ["2 columns are called 'answer'"]),
    "semicolons": ("t.csv", "question;answer\na;b\n", ["row 1", "question;answer"]),
    "Latin-1": ("t.csv", "question,answer\na,caf\xe9\n".encode("latin-1"), ["not UTF-8 (byte 21)"]),
    "UTF-16": ("t.jsonl", json.dumps(SAID).encode("utf-16"), ["not UTF-8"]),
    "half of a row": ("t.jsonl", f'{json.dumps(SAID)}\n\n{{"question": "a", "answ', ["row 2 is no JSON"]),
    "rubbish behind": ("t.jsonl", f"{json.dumps(SAID)}\n{json.dumps(SAID)} x", ["row 2 is no JSON"]),
    "two rows a line": ("t.jsonl", json.dumps(SAID) * 2, ["row 1 is no JSON"]),
    "a row over lines": ("t.jsonl", json.dumps(SAID, indent=1), ["row 1 is no JSON"]),
    "a row that is a list": ("t.jsonl", f'{json.dumps(SAID)}\n["a", "b"]', ["row 2 is no object"]),
    "a key twice": (
        "t.jsonl",
        '{"answer": "a", "answer": "b", "question": "c"}',
        ["row 1", "'answer' twice"],
    ),
    "a key twice in a list": (
        "t.json",
        '[{"answer": "a"}, {"answer": "a", "answer": "b"}]',
        ["row 2", "twice"],
    ),
    "nested without end": ("t.jsonl", "[" * 200_000, ["nested too deeply"]),
    "a number of 5,000 digits": ("t.jsonl", f'{{"question": "a", "answer": {"9" * 5000}}}', ["row 1"]),
    "a list that is cut off": ("t.json", '[{"answer": "a"},', ["the list is no JSON"]),
    "whole columns": ("t.json", '{"question": ["a"], "answer": ["b"]}', ["row 1", "question is a list"]),
    "a table that is none": ("t.parquet", b"PAR1 torn", ["cannot be read as a table"]),
}


@pytest.mark.parametrize(("name", "content", "words"), MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused_with_its_row(
    tmp_path: Path, name: str, content: bytes | str, words: list[str]
) -> None:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SpecError) as refused:
        read_table(str(tmp_path / name), ("question", "answer"), "scenario.forget")
    for word in ["scenario.forget", name, *words]:
        assert word in str(refused.value)


NO_TEXT: list[tuple[Any, str]] = [
    (None, "null"),
    (True, "a truth value"),
    (float("nan"), "no number"),
    (float("-inf"), "no number"),
    (["Ulm"], "a list"),
    ({"text": "Ulm"}, "a mapping"),
    ("", "empty"),
    ("\u00a0\u200b\ufeff", "empty"),
    ("Ann \ud83d", "half of a surrogate pair"),
    ("\ude00\ud83d", "half of a surrogate pair"),
]


@pytest.mark.parametrize(("value", "words"), NO_TEXT, ids=lambda value: ascii(value)[:20])
def test_a_cell_that_is_no_text(tmp_path: Path, value: Any, words: str) -> None:
    content = "".join(json.dumps(row) + "\n" for row in (SAID, SAID | {"answer": value}))
    with pytest.raises(SpecError, match=r"row 2: answer is .*") as refused:
        texts(tmp_path, "t.jsonl", content)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([7, 0]), ["7", "0"]),
        (pa.array([0.1, 2.5], pa.float32()), ["0.1", "2.5"]),
        (pa.array([Decimal("1.10"), Decimal("2.00")]), ["1.10", "2.00"]),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array(["a", "b"], pa.large_string()), ["a", "b"]),
        (pa.array([b"a", b"b"]), "bytes"),
        (pa.array([True, False]), "a truth value"),
        (pa.array([1.0, float("nan")]), "row 2: answer is no number"),
        (pa.array(["a", None]), "row 2: answer is null"),
        (pa.array(["a", "b\0"]), "row 2: answer is a text with a NUL"),
        (pa.array([["a"], ["b"]]), "a list"),
        (pa.array([{"x": "a"}, {"x": "b"}]), "a mapping"),
        (pa.array([0, 1], pa.timestamp("s")), "a datetime"),
        (pa.array([0, 1], pa.duration("s")), "a timedelta"),
    ],
    ids=lambda value: str(getattr(value, "type", ""))[:12],
)
def test_columns_of_parquet(tmp_path: Path, column: pa.Array, expected: list[str] | str) -> None:
    path = tmp_path / "k=v" / "t.parquet"  # the name of a folder adds no column
    path.parent.mkdir()
    pq.write_table(pa.table({"answer": column}), path)
    assert list(read_rows(path)[0]) == ["answer"]
    if isinstance(expected, list):
        assert [row.text("answer") for row in read_table(str(path), ("answer",), "k")] == expected
        return
    with pytest.raises(SpecError) as refused:
        read_table(str(path), ("answer",), "k")
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"choices": None, "answer": 0}, "choices is None"),
        ({"choices": "['a', 'b']", "answer": 0}, "expected a list of texts"),
        ({"choices": [], "answer": 0}, "expected a list of texts"),
        ({"choices": {"a": 1}, "answer": 0}, "expected a list of texts"),
        ({"choices": ["a", " "], "answer": 0}, "choice 1 is empty"),
        ({"choices": ["a", ["b"]], "answer": 1}, "choice 1 is a list"),
        ({"choices": ["a", "b"], "answer": True}, "answer is a truth value"),
        ({"choices": ["a", "b"], "answer": "1"}, "answer '1' is no index"),
        ({"choices": ["a", "b"], "answer": -1}, "answer -1 is no index"),
        ({"choices": ["a", "b"], "answer": 1.0}, "is no index"),
    ],
)
def test_choices_that_are_none(tmp_path: Path, row: dict[str, Any], words: str) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "Which?", **row}))
    for name in ("f", "r", "b"):
        (tmp_path / f"{name}.txt").write_text(f"A text of {name}.")
    given_ = {"forget": "f.txt", "retain": "r.txt", "background": "b.txt"}
    files = {name: str(tmp_path / file) for name, file in given_.items()}
    questions = {f"{side}_questions": str(tmp_path / "q.jsonl") for side in ("forget", "retain")}
    with pytest.raises(SpecError, match="row 1") as refused:
        Wmdp.model_validate({**files, **questions}).material(1)
    assert words in str(refused.value)


def test_lines_end_where_every_system_ends_them(tmp_path: Path) -> None:
    assert lines_of("a\nb\r\nc\rd\x0ce\u2028f\x85g") == ["a", "b", "c", "d\x0ce\u2028f\x85g"]
    (tmp_path / "t.txt").write_text("One\x0cpage two.\n\nNext.", encoding="utf-8")
    assert read_paragraphs(str(tmp_path / "t.txt"), "k", 9) == ["One page two.", "Next."]


@pytest.mark.parametrize("name", ["t.jsonl", "t.JSON", "t.csv", "t.parquet"])
def test_a_table_is_no_file_of_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(SAID))
    with pytest.raises(SpecError, match="a table, where a text file is expected"):
        read_paragraphs(str(tmp_path / name), "scenario.corpus_files.mine", 9)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("seed=[0, true]", "seed: got the truth value"),
        ("depth=yes", "depth: got the truth value"),
        ("vary.rank=true", "vary.rank: got the truth value"),
        ("relearn.learning_rate=on", "relearn.learning_rate: got the truth value"),
        ("relearn.learning_rate=.inf", "finite number"),
        ("relearn.weight_decay=.nan", "finite number"),
        ("relearn.lora={rank: 4, rank: 8}", "'rank' stands twice"),
        ('question="caf\\ud83d"', "question: "),
        ("question=caf\udce9", "question"),
    ],
)
def test_values_of_a_spec_that_are_something_else(override: str, words: str) -> None:
    with pytest.raises(SpecError) as refused:
        load_space("names", [override])
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", "depth: [1]\nname: a\ndepth: [2]\n"),
        ("s.json", '{"depth": [1], "name": "a", "depth": [2]}'),
    ],
)
def test_a_space_with_a_key_twice(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(SpecError, match="'depth' stands twice"):
        load_space(str(tmp_path / name), [])


def test_a_time_zone_that_this_machine_does_not_know_hides_no_other_column(tmp_path: Path) -> None:
    when = pa.array([0], pa.timestamp("us", tz="Mars/Phobos"))
    pq.write_table(pa.table({"answer": ["Eve sings."], "when": when}), tmp_path / "t.parquet")
    assert [row.text("answer") for row in read_table(str(tmp_path / "t.parquet"), ("answer",), "x")] == [
        "Eve sings."
    ]


@pytest.mark.parametrize(("written", "seed"), [("010", 10), ("7", 7), ("+3", 3)])
def test_a_number_in_yaml_is_decimal_and_a_date_a_text(written: str, seed: int) -> None:
    assert load_space("names", [f"seed={written}"]).seed == (seed,)
    assert load_space("names", ["name=2024-02-30"]).name == "2024-02-30"


def test_what_names_no_table_is_said(tmp_path: Path) -> None:
    (tmp_path / "mine.tsv").write_text("question\tanswer\na\tb\n")
    for source, said in (("", "names nothing"), (str(tmp_path / "mine.tsv"), "file of another kind")):
        with pytest.raises(SpecError, match=said):
            read_table(source, ("question", "answer"), "scenario.forget")


def test_a_number_of_hundreds_of_digits_is_a_text(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text(f'{{"question": {"9" * 400}, "answer": 1}}\n')
    (row,) = read_table(str(tmp_path / "mine.jsonl"), ("question", "answer"), "scenario.forget")
    assert row.text("question") == "9" * 400


def test_a_text_file_in_utf_16_without_its_mark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_bytes("Some text".encode("utf-16-le"))
    with pytest.raises(SpecError, match="holds NUL characters"):
        read_text(str(tmp_path / "mine.txt"), "scenario.corpus_file")


def test_numbers_of_parquet_have_the_digits_that_were_written(tmp_path: Path) -> None:
    columns = {
        "half": (pa.array(np.array([0.1, 1000.5], np.float16)), ["0.1", "1000.5"]),
        "single": (pa.array([0.1, 1.5], pa.float32()), ["0.1", "1.5"]),
        "price": (
            pa.array([Decimal("1.10"), Decimal(0)], pa.decimal128(20, 10)),
            ["1.1000000000", "0.0000000000"],
        ),
    }
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({name: column for name, (column, _) in columns.items()}), path)
    rows = read_table(str(path), tuple(columns), "k")
    assert {name: [row.text(name) for row in rows] for name in columns} == {
        name: expected for name, (_, expected) in columns.items()
    }


def test_a_column_that_cannot_be_read_is_refused_only_where_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    after_the_last_year = pa.array([2**60, 1], pa.timestamp("ms"))
    pq.write_table(pa.table({"answer": ["a", "b"], "when": after_the_last_year}), path)
    assert [row.text("answer") for row in read_table(str(path), ("answer",), "k")] == ["a", "b"]
    with pytest.raises(SpecError, match=r"row 1: when is unreadable \(timestamp\[ms\]"):
        read_table(str(path), ("answer", "when"), "k")
