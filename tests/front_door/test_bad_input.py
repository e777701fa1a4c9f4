"""Every mistake a user can make: its exit code, a message that names the place and the remedy, no traceback.

Nothing may have been started: no study folder is left behind by a refused command.
"""

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from study.errors import PreflightError
from tests.commands import call

OF_A_SPEC = [
    (["--set", "dpeth=[8]"], 2, ["dpeth", "did you mean 'depth'"]),
    (["--set", "relearn.lerning_rate=1"], 2, ["relearn.lerning_rate", "did you mean 'learning_rate'"]),
    (["--set", "scenario.frist=Bob"], 2, ["scenario.frist", "no such key"]),
    (["--set", "relarn.batch_size=2"], 2, ["relarn", "did you mean 'relearn'"]),
    (["--set", "depth=[]"], 2, ["depth", "at least one value"]),
    (["--set", "relearn_steps=[0,-5]"], 2, ["relearn_steps.1", "greater than or equal to 0"]),
    (["--set", "relearn_steps=[0,5,5]"], 2, ["relearn_steps", "5 stands more than once"]),
    (["--set", "depth=[0,8]"], 2, ["depth.0", "greater than 0"]),
    (["--set", "depth=[eight]"], 2, ["depth.0", "'eight'"]),
    (["--set", "start=[unlearnt]"], 2, ["start.0", "unlearned"]),
    (["--set", "method=gradient_accent"], 2, ["method", "did you mean 'gradient_ascent'"]),
    (["--set", "scenario=nmaes"], 2, ["scenario", "did you mean 'names'"]),
    (["--set", "corpus=[prefx]"], 2, ["corpus=prefx", "did you mean 'prefix'"]),
    (["--set", "repetitions=[7,17]"], 2, ["repetitions=17", "choose from 0 to 16"]),
    (["--set", "scenario.corpus_file=gone.txt"], 3, ["gone.txt", "no such file"]),
    (["--set", "scenario.corpus_file=empty.txt"], 2, ["empty.txt", "is empty"]),
    (["--set", "scenario.corpus_file=latin.txt"], 2, ["latin.txt", "not UTF-8"]),
    (["--set", "model=gone/"], 3, ["gone/", "neither a folder"]),
    (["--set", "model=./gone"], 3, ["./gone", "no such folder"]),
    (["--set", "model=bare"], 3, ["bare", "no weights"]),
    (["--set", "model=pickled"], 3, ["pickled", "only as pickles", "convert"]),
    (["--set", "model=mute"], 3, ["mute", "no tokenizer"]),
    (["--set", "model=sees"], 3, ["sees", "'vit' does not continue texts"]),
    (["--set", "embedded.architecture.context=16"], 3, ["context is 16", "embedded.architecture.context"]),
    (["--set", "method={name: rmu, layer: 5}"], 3, ["method rmu", "layer 5", "has 4"]),
    (["--set", "execution.time_limit=9"], 2, ["time_limit is now called time_limit_seconds", "give", "=9"]),
    (["--search", "fronteir"], 2, ["search.question", "'frontier' or 'cheapest'"]),
    (
        ["--search", "frontier", "--budget", "trajectories=0"],
        2,
        ["search.budget.trajectories", "greater than 0"],
    ),
    (["--search", "frontier", "--budget", "hours=-1"], 2, ["search.budget.hours", "greater than 0"]),
    (["--search", "frontier", "--budget", "euros=3"], 2, ["search.budget.euros", "no such key"]),
    (["--search", "frontier", "--budget", "40"], 2, ["--budget 40", "trajectories=40"]),
    (["--search", "frontier", "--tolerance", "0"], 2, ["search.tolerance", "greater than 0"]),
    (["--budget", "trajectories=9"], 2, ["--budget", "add --search"]),
    (
        ["--search", "cheapest", "--set", "search.metric=rouge_l"],
        2,
        ["search.metric=rouge_l", "keyword_hit, keyword_anywhere"],
    ),
    (["--search", "frontier", "--set", "depth=[8]"], 2, ["at least two in `depth`"]),
    (["--search", "frontier", "--set", "start=[original]"], 2, ["put unlearned into `start`"]),
    (
        ["--set", "vary.learning_rate={low: 1e-5, high: 1e-3}"],
        2,
        ["vary.learning_rate", "a grid cannot hold"],
    ),
    (
        ["--search", "frontier", "--set", "vary.rank={low: 2, high: 8}"],
        2,
        ["vary.rank is a range", "list the values"],
    ),
    (["--search", "cheapest", "--set", "vary.rank={low: 8, high: 2}"], 2, ["vary.rank", "low below high"]),
    (["--search", "cheapest", "--set", "vary.fraction=[0.5, 2]"], 2, ["vary.fraction", "at most 1"]),
    (["--set", "seed=99999999999999999999"], 2, ["seed: ", "less than 2**63"]),
    (["--set", "depth=3000000000"], 2, ["depth.0", "less than"]),
    (["--set", "seed=0x_"], 2, ["seed.0", "valid integer"]),
    (["--set", "relearn_steps=[0,1:30]"], 2, ["relearn_steps.1", "valid integer"]),
    (["--set", f"seed={'9' * 5000}"], 2, ["--set seed=9", "no YAML"]),
    (["--set", f"seed={'[' * 3000}1{']' * 3000}"], 2, ["--set seed=[[", "nested too deeply"]),
    (["--set", "unlearn.learning_rate=!!timestamp foo"], 2, ["unlearn.learning_rate", "'foo'"]),
    (["--set", "seed=!!bool foo"], 2, ["--set seed=!!bool foo", "its tag"]),
    (
        ["--set", "scenario.template={{question}}"],
        2,
        ["scenario.template", "a key is a list or a mapping", "quotes"],
    ),
    (["--set", "execution.of_kind.relearn.gpu=1"], 2, ["of_kind.relearn.gpu", "no such key", "gpus"]),
    (["--set", "execution.of_kind.relern.gpus=1"], 2, ["execution.of_kind.relern", "relearn"]),
    (
        ["--set", "scenario={name: tofu, corpus_files: {direct: a.txt}}"],
        2,
        ["'direct' is the name of another corpus"],
    ),
    (["--set", "scenario={name: whp-keyword, keywords: [Ann, 🎈]}"], 2, ["'🎈', which holds no word"]),
    (["--set", "scenario={name: whp-keyword, anchors: {'': x}}"], 2, ["terms to replace", "holds no word"]),
    (["--set", "scenario={name: tofu, titles: ['…']}"], 2, ["'…', which holds no word"]),
    (["--set", "nonsense"], 2, ["--set nonsense", "key=value"]),
    (["--store", "s4://bucket/x"], 2, ["s4://bucket/x", "expected a folder, s3://"]),
    (["--store", "s3://"], 2, ["s3://", "not empty"]),
    (["--store", "s3://bucket/../x"], 2, ["s3://bucket/../x", "not empty"]),
    (["--store", "s3://bucket/a*"], 2, ["s3://bucket/a*", "none of"]),
    (["--store", "gs:///x"], 2, ["gs:///x", "not empty"]),
    (["--store", "http://host/x"], 2, ["http://host/x", "az://CONTAINER/FOLDER"]),
    (["--study", "s3://bucket/x"], 2, ["s3://bucket/x is no folder", "--store s3://bucket/x"]),
]
"""What is added to ``relearn run names``, the exit code, and words that the message has."""

LINES: list[tuple[str, int, list[str]]] = [
    ("rum names", 2, ["No such command 'rum'", "Did you mean 'run'"]),
    ("--nonsense", 2, ["No such option: --nonsense"]),
    ("run", 2, ["Missing argument 'space'"]),
    ("run names tofu", 2, ["unexpected extra argument"]),
    ("run names --sed seed=1", 2, ["No such option: --sed", "--set"]),
    ("run names --set", 2, ["'--set' requires an argument"]),
    ("plan names --search", 2, ["'--search' requires an argument"]),
    ("plan names --search frontier --tolerance abc", 2, ["--tolerance", "valid number"]),
    ("plan names --search frontier --tolerance nan", 2, ["search.tolerance", "finite number"]),
    ("plan names --search frontier --budget hours=abc", 2, ["search.budget.hours", "valid number"]),
    (
        "plan names --search frontier --budget trajectories=2.5",
        2,
        ["search.budget.trajectories", "valid integer"],
    ),
    (
        "plan names --search frontier --budget hours=",
        2,
        ["search.budget", "trajectories=…, steps=…, hours=…"],
    ),
    ('plan names --set "search={question: frontier, round: 0}"', 2, ["search.round", "greater than 0"]),
    ("run names --wait-for-nodes -1", 2, ["--wait-for-nodes", "greater than or equal to 0"]),
    ("run names --wait-for-nodes soon", 2, ["--wait-for-nodes", "valid number"]),
    ('run names --study ""', 2, ["--study ''", "got an empty text"]),
    ('run names --store ""', 2, ["--store ''", "got an empty text"]),
    ("run names --study list.json", 2, ["list.json is a file", "--study"]),
    ("plan names --set =8", 2, ["--set =8", "key=value"]),
    ("plan names --set depth=", 2, ["depth.0", "valid integer"]),
    ('plan names --set "depth={a: 1}"', 2, ["depth.0", "valid integer"]),
    ("plan names --set depth=8.5", 2, ["depth.0", "fractional part"]),
    ("plan names --set depth=true", 2, ["depth: got the truth value true", "in quotes"]),
    ("plan names --set depth=[[8]]", 2, ["depth.0", "valid integer"]),
    ("plan names --set depth.x=8", 2, ["depth.x", "no keys of its own"]),
    ("plan names --set seed=-1", 2, ["seed.0", "greater than or equal to 0"]),
    ("plan names --set repetitions=-1", 2, ["repetitions.0", "greater than or equal to 0"]),
    ("plan names --set control_depth=-1", 2, ["control_depth.0", "greater than or equal to 0"]),
    ("plan names --set scenario.queries=0", 2, ["scenario.queries", "greater than 0"]),
    ("plan names --set scenario.queries=100000000", 2, ["scenario.queries", "less than or equal to 10000"]),
    ("plan names --set scenario.first=", 2, ["scenario.first", "expected one word"]),
    ('plan names --set "scenario=[names, names]"', 2, ["scenario", "mapping with `name`"]),
    ('plan names --set "scenario={queries: 6}"', 2, ["scenario", "mapping with `name`"]),
    ('plan names --set "method=[npo, npo]"', 2, ["method", "stands more than once"]),
    ('plan names --set "method={name: npo, beta: .nan}"', 2, ["method.0.beta", "finite number"]),
    ('plan names --set "method={beta: 1}"', 2, ["method.0", "mapping with `name`"]),
    ("plan names --set method=5", 2, ["method.0", "name of a method"]),
    ("plan names --set relearn.learning_rate=0", 2, ["relearn.learning_rate", "greater than 0"]),
    ("plan names --set relearn.learning_rate=.inf", 2, ["relearn.learning_rate", "finite number"]),
    ("plan names --set relearn.learning_rate=fast", 2, ["relearn.learning_rate", "valid number"]),
    ("plan names --set relearn=null", 2, ["relearn: expected keys with their values (learning_rate, "]),
    ("plan names --set unlearn=5", 2, ["unlearn: expected keys with their values (learning_rate, ", "got 5"]),
    ("plan names --set relearn.by=fax", 2, ["relearn.by", "'weights', 'jobs' or 'steps'"]),
    ("plan names --set relearn.by=jobs", 2, ["base_url"]),
    (
        "plan names --set relearn.by=jobs --set relearn.base_url=http://h/v1",
        2,
        ["relearn.base_url", "plain text"],
    ),
    (
        "plan names --set relearn.by=jobs --set relearn.base_url=ftp://h/v1",
        2,
        ["relearn.base_url", "expected a URL"],
    ),
    (
        "plan names --set relearn.by=jobs --set relearn.base_url=https://h:sk-a-key/v1",
        2,
        ["relearn.base_url", "the port is no number"],
    ),
    ("plan names --set relearn.base_url=https://h/v1", 2, ["base_url", "by=jobs or by=steps"]),
    ('plan names --set "relearn.lora={rank: 0}"', 2, ["relearn.lora.rank", "greater than 0"]),
    ("plan names --set precision=float16", 2, ["precision", "'float32', 'mixed' or 'bfloat16'"]),
    ("plan names --set precision=bfloat16", 3, ["bfloat16", "precision=mixed"]),
    ("plan names --set attention=flash", 2, ["attention", "flash_attention_2"]),
    ("plan names --set leaks=allow", 2, ["leaks", "'refuse' or 'mark'"]),
    ("plan names --set generation.temperature=1", 2, ["generation.temperature", "no such key"]),
    ("plan names --set generation.max_new_tokens=0", 2, ["generation.max_new_tokens", "greater than 0"]),
    ("plan names --set max_length=0", 2, ["max_length", "greater than 0"]),
    ("plan names --set execution.gpus=1.5", 2, ["execution.gpus", "whole number"]),
    ("plan names --set execution.gpus=-1", 2, ["execution.gpus", "greater than or equal to 0"]),
    (
        'plan names --set "execution.of_kind={fintune: {cpus: 2}}"',
        2,
        ["execution.of_kind.fintune: ", "'finetune'"],
    ),
    ("plan names --set execution.gpus=0.00001", 2, ["execution.gpus", "0.0001 to 1"]),
    (
        "plan names --set execution.checkpoint_share=2",
        2,
        ["execution.checkpoint_share", "less than or equal to 1"],
    ),
    (
        "plan names --set execution.time_limit_seconds=1e10",
        2,
        ["execution.time_limit_seconds", "less than or equal"],
    ),
    ("plan names --set relearn.learning_rate=1e-300", 2, ["relearn.learning_rate", "float32"]),
    ('plan names --set "search={question: frontier, level: 2}"', 2, ["search.level=2", "between 0 and 1"]),
    ('plan names --set "checkpoints={at: {-8: gone}}"', 2, ["checkpoints.at.-8", "greater than 0"]),
    ('plan names --set "relearn.models={-1: gone}"', 2, ["relearn.models", "greater than or equal to 0"]),
    ("plan names --set execution.retries=-1", 2, ["execution.retries", "greater than or equal to 0"]),
    (
        "plan names --set embedded.architecture.heads=3",
        2,
        ["embedded.architecture", "width 128 over 3 heads"],
    ),
    ("plan names --set embedded=null", 2, ["embedded: expected keys with their values"]),
    ("plan names --set finetune.steps=-1", 2, ["finetune.steps", "greater than 0"]),
    ("plan names --set name=a/b", 2, ["name: expected at most 64 letters"]),
    ("plan names --set name=..", 2, ["name: expected at most 64 letters"]),
    ("plan names --set question=[a]", 2, ["question", "valid string"]),
    ('plan names --set "checkpoints={at: {8: gone}}"', 2, ["`checkpoints` has 8"]),
    ('plan names --set "checkpoints={at: {}}"', 2, ["checkpoints.at", "at least 1"]),
    ('plan names --set "model=[embedded, embedded]"', 2, ["model", "stands more than once"]),
    ("plan names --set model=owner/gone", 3, ["model=owner/gone", "while online"]),
    ("plan names --set vary.rank=[0]", 2, ["vary.rank.0", "greater than 0"]),
    ("plan names --set vary.learning_rate=[1e-4,1e-4]", 2, ["vary.learning_rate", "each once"]),
    ("plan names --set vary.speed=[1]", 2, ["vary.speed", "no such key"]),
    ("plan names --json extra", 2, ["unexpected extra argument"]),
    ("plan names --set depth 8", 2, ["--set depth 8", "one word", "write --set depth=8"]),
    ("plan names --set depth= [8,12]", 2, ["one word", "write --set 'depth=[8,12]'"]),
    ("run names --json --set depth =8", 2, ["write --set depth=8"]),
    ("plan --set depth 8 names", 2, ["write --set depth=8"]),
    ("plan names depth=8", 2, ["needs its option", "write --set depth=8"]),
    ("plan names --search frontier --budget trajectories 40", 2, ["write --budget trajectories=40"]),
    ("plan json:dumsp", 2, ["has no function 'dumsp'", "did you mean 'dump"]),
    ("plan gone:gone", 2, ["there is no module gone"]),
    ("plan folder.yaml", 2, ["folder.yaml cannot be read: it is a folder"]),
    ("plan names --set ' = '", 2, ["--set ' = '", "expected key=value"]),
    ("plan names --set name='a b'", 2, ["name: expected at most 64 letters", "got 'a b'"]),
    ("plan names --set scenario.first='a b'", 2, ["scenario.first: expected one word", "got 'a b'"]),
    ("plan json:dumps", 2, ["TypeError", "without arguments"]),
    ("plan json:nothing", 2, ["json:nothing", "has no function 'nothing'"]),
    ("plan os:getcwd", 2, ["returns a StudySpec"]),
    ('plan "na mes"', 2, ["'na mes'", "did you mean 'names'"]),
    ("plan ..", 2, ["'..'", "YAML or JSON file"]),
    ("cluster slrum names", 2, ["slrum", "did you mean 'slurm'"]),
    ("cluster slurm nmaes", 2, ["'nmaes'", "did you mean 'names'"]),
    ("cluster slurm names --nodes 0", 2, ["--nodes 0", "at least 1"]),
    ("cluster slurm names --hours soon", 2, ["--hours", "valid number"]),
    ("cluster slurm names --hours -1", 2, ["--hours -1", "more than 0"]),
    ("cluster slurm names --price -1", 2, ["--price", "greater than or equal to 0"]),
    ("submit names", 2, ["Missing option '--address'"]),
    ("submit names --address http://127.0.0.1:1", 2, ["nothing would be left", "--store"]),
    ("status gone --address nonsense", 2, ["--address nonsense", "http://HEAD:8265"]),
    ("status s3://bucket/x", 2, ["s3://bucket/x is no folder"]),
    ("resume gone --store s9://x", 2, ["s9://x", "expected a folder"]),
    ("score gone", 2, ["Missing option '--metric'"]),
    ("score gone --metric rouge_l --calls -1", 2, ["--calls", "greater than or equal to 0"]),
    ("score gone --metric rouge_l --at-once 0", 2, ["--at-once", "greater than or equal to 1"]),
    ("serve", 2, ["Missing argument"]),
    ("serve gone", 2, ["gone is neither a study nor a model folder"]),
    ("serve latin.txt", 2, ["latin.txt is neither", "it is a file"]),
    ("serve bare", 2, ["--state", "model folder"]),
    ("serve ''", 2, ["expected a value, got an empty text"]),
    ("plan names --study ''", 2, ["--study ''", "got an empty text"]),
    ("export gone --to=", 2, ["--to= ''", "got an empty text"]),
    ("plan names --study latin.txt", 2, ["latin.txt is a file", "folder with --study"]),
    ("run names --study latin.txt/below", 2, ["latin.txt is a file", "folder with --study"]),
    ("report gone --to latin.txt", 2, ["latin.txt is a file", "folder with --to"]),
    ("export gone --to /dev/null", 2, ["/dev/null is no folder", "folder with --to"]),
    ("checkpoints gone --to latin.txt/below", 2, ["latin.txt is a file", "folder with --to"]),
    ("serve bare --state latin.txt", 2, ["latin.txt is a file", "folder with --state"]),
    ("serve gone --state x", 2, ["gone", "neither a study nor a model folder"]),
    ("serve gone --port 99999999", 2, ["--port", "less than or equal to 65535"]),
    ("report", 2, ["Missing argument 'DIR'"]),
    ("report s3://bucket/x", 3, ["s3://bucket/x cannot be read", "credentials"]),
    ("report gone gone", 2, ["gone is given twice"]),
    ("compare gone", 2, ["Missing argument 'second'"]),
    ("export gone --format xlsx", 2, ["--format xlsx", "csv, parquet"]),
    ("verify gone --repare", 2, ["No such option: --repare", "--repair"]),
]
"""Whole command lines."""

WRONG = [
    *((["run", "names", *arguments], code, words) for arguments, code, words in OF_A_SPEC),
    *((shlex.split(line), code, words) for line, code, words in LINES),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "latin.txt").write_bytes("Zoë Anthony Mark".encode("latin-1"))
    (tmp_path / "folder.yaml").mkdir()
    for name in ("bare", "pickled", "mute"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    (tmp_path / "mute" / "model.safetensors").write_bytes(b"")
    (tmp_path / "sees").mkdir()
    (tmp_path / "sees" / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "sees" / "model.safetensors").write_bytes(b"")
    (tmp_path / "sees" / "tokenizer.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(("line", "code", "words"), WRONG, ids=[" ".join(line)[:60] for line, _, _ in WRONG])
def test_wrong_inputs(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: list[str],
    code: int,
    words: list[str],
) -> None:
    """What is not refused computes nothing, and fails here."""

    def stop(*_: object) -> None:
        raise PreflightError("not refused")

    monkeypatch.setattr("cluster.driver.launch.run_study", stop)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    before = sorted(place.iterdir())
    found, output = call(*line, cwd=place)
    assert found == code, output
    for word in words:
        assert word in output
    assert "Traceback" not in output
    assert sorted(place.iterdir()) == before


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("nmaes", ["'nmaes'", "did you mean 'names'"]),
        ("gone.yaml", ["gone.yaml", "no such file"]),
        ("broken.yaml", ["broken.yaml", "cannot be read"]),
        ("list.json", ["list.json", "expected a mapping"]),
        ("short.json", ["scenario", "missing"]),
        ("nowhere:names", ["nowhere:names", "importable"]),
        (":names", [":names", "importable"]),
        (".:names", [".:names", "importable"]),
        ("deep.yaml", ["deep.yaml", "nested too deeply"]),
        ("deep.json", ["deep.json", "nested too deeply"]),
        ("twice.json", ["twice.json", "stands twice"]),
        ("json:loads", ["TypeError", "without arguments"]),
        ("broken_space:names", ["broken_space:names", "ZeroDivisionError"]),
    ],
)
def test_wrong_spaces(tmp_path: Path, space: str, words: list[str]) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    (tmp_path / "list.json").write_text("[1]")
    for name in ("deep.yaml", "deep.json"):
        (tmp_path / name).write_text("[" * 100_000 + "]" * 100_000)
    (tmp_path / "twice.json").write_text('{"checkpoints": {"at": {"1": "a", "01": "b"}}}')
    (tmp_path / "broken_space.py").write_text("1 / 0\n")
    (tmp_path / "short.json").write_text('{"name": "x"}')
    code, output = call("plan", space, cwd=tmp_path)
    assert code == 2, output
    for word in words:
        assert word in output
    assert "Traceback" not in output


def test_a_function_is_a_space(tmp_path: Path) -> None:
    code, output = call("plan", "search_spaces.experiments.names:names", "--json", cwd=tmp_path)
    assert code == 0, output
    assert json.loads(output)["cells"] > 300


@pytest.mark.parametrize("verb", ["status", "resume", "report", "export"])
@pytest.mark.parametrize("what", ["gone", "other", "file"])
def test_a_folder_that_is_no_study(tmp_path: Path, verb: str, what: str) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    (tmp_path / "file").write_text("precious")
    code, output = call(verb, what, cwd=tmp_path)
    assert code == 2, output
    assert "is no study" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("verb", ["status", "report"])
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("frist", "did you mean 'studies/first'?"),
        ("studies/frist", "did you mean 'studies/first'?"),
        ("studies", "name one, as studies/first (2 in all)"),
        ("studies/first/study.json", "name its folder: studies/first"),
    ],
)
def test_the_study_that_was_meant_is_named(tmp_path: Path, verb: str, given: str, meant: str) -> None:
    for name in ("first", "other"):
        (tmp_path / "studies" / name).mkdir(parents=True)
        (tmp_path / "studies" / name / "study.json").write_text("{}")
    code, output = call(verb, given, cwd=tmp_path)
    assert code == 2, output
    assert meant in output


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("precious")
    code, output = call("run", "names", "--study", "other", cwd=tmp_path)
    assert code == 2, output
    assert "not empty (thesis.tex)" in output
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.tex"]


def test_a_study_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, output = call("run", "names", "--study", "file/s", cwd=tmp_path)
    assert code == 2, output
    assert "file is a file" in output
    assert "--study" in output
    assert "Traceback" not in output


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can mount a disk")
def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], check=False).returncode:
        pytest.skip("cannot mount a small disk here")
    try:
        code, output = call("run", "names", "--study", disk / "s", cwd=tmp_path)
        assert code == 3, output
        assert "no space left" in output.lower()
        assert "Traceback" not in output
        assert not list(disk.rglob("record.json"))
    finally:
        subprocess.run(["umount", disk], check=True)
