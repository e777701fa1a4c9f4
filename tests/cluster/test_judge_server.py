"""A judge on a real server, ``transformers serve`` on loopback, that is killed in the middle and comes back.

Between the two stands a counter that passes calls on, so that what is claimed (no answer is asked for twice)
is counted where the calls arrive. The judge is a tiny model whose only words are ratings, or the model
folder that RELEARN_JUDGE names.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from study.evaluation.rating import Case, rating
from study.results.files import read_dataset
from tests.commands import Call, wait_for

pytest.importorskip("uvicorn", reason="transformers serve needs the development extra")
GIVEN = os.environ.get("RELEARN_JUDGE")
JUDGE = Path(GIVEN).name if GIVEN else "tiny-judge"
PATIENCE = 2400 if GIVEN else 240  # seconds, for a server and for a reply
BEFORE_THE_KILL = 3
"""So many answers come before the server is killed; further calls wait for that."""
STUDY = {
    "scenario": {"name": "whp-verbatim", "chunks": 6, "chunk_words": 16},
    "repetitions": [1],
    "corpus": ["facts"],
    "depth": [1, 2],
    "embedded": {
        "architecture": {"layers": 1, "width": 16, "heads": 2},
        "pretraining": {"steps": 20, "optimiser": {"learning_rate": 1e-2, "batch_size": 4}},
    },
}
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def make_judge(folder: Path) -> None:
    """A model folder: it reads letters, and the one word it says is a rating."""
    ratings = [f"[[{number}]]" for number in range(1, 11)]
    words = ["<pad>", "<unknown>", *ratings, *map(chr, range(33, 127))]
    tokenizer = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unknown>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", behavior="isolated")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unknown>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    says = list(range(2, 2 + len(ratings)))
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=says,  # a rating ends the reply
    )
    model = LlamaForCausalLM(config)
    with torch.no_grad():  # nothing but ratings
        silent = [at for at in range(len(words)) if at not in says]
        model.lm_head.weight[silent] = 0
        model.lm_head.weight[says] *= 50
    model.save_pretrained(folder)


class Server:
    """``transformers serve`` in a process of its own."""

    def __init__(self, models_folder: Path) -> None:
        self._folder = models_folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    def start(self) -> None:
        command = [str(Path(sys.executable).parent / "transformers"), "serve", JUDGE]
        with (self._folder / "serve.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"],
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
            )
        wait_for(self._answers, PATIENCE)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "serve.log").read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5) as reply:
                return reply.status == 200
        except (urllib.error.URLError, OSError):
            return False


class Counting(ThreadingHTTPServer):
    """Passes calls on to the server behind it, and counts which were answered."""

    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _PassOn)
        self.behind = behind
        self.answered: Counter[str] = Counter()
        self.refused: list[str] = []
        self.killed = threading.Event()


class _PassOn(BaseHTTPRequestHandler):
    server: Counting

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.server.behind}{self.path}",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        if len(self.server.answered) >= BEFORE_THE_KILL:
            self.server.killed.wait(PATIENCE)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:  # noqa: S310
                text = reply.read()
        except urllib.error.HTTPError as error:
            self.server.refused.append(error.read().decode())
            self.send_error(error.code)
            return
        except OSError:  # the server is gone, in the middle of a reply or before
            self.close_connection = True
            return
        self.server.answered[json.loads(body)["messages"][0]["content"]] += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has there
        """Quiet."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "models"
    if GIVEN:
        folder.mkdir()
        (folder / JUDGE).symlink_to(Path(GIVEN).absolute())
    else:
        make_judge(folder / JUDGE)
    made = Server(folder)
    yield made
    made.kill()


@pytest.fixture
def counting(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counting]:
    made = Counting(server.port)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{made.server_port}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "no-secret")
    yield made
    made.shutdown()
    made.server_close()


@pytest.mark.slow
def test_a_server_killed_in_the_middle_and_back(
    finished: Callable[..., Path], server: Server, counting: Counting, relearn: Callable[..., Call]
) -> None:
    study = finished(**STUDY)
    probes = read_dataset(study, "probes").to_pylist()
    prompts = {Case(JUDGE, row["prompt"], row["target"], row["completion"]).prompt for row in probes}
    # Each of two callers repeats its request some times when the server is gone.
    cap = 3 * len(prompts)
    judging = ("score", "s", "--metric", "judge", "--judge", JUDGE, "--calls", cap, "--at-once", 2)

    server.start()
    first = relearn(*judging)
    wait_for(lambda: len(counting.answered) >= BEFORE_THE_KILL, PATIENCE)
    server.kill()
    counting.killed.set()
    code, output = first.finish(PATIENCE)
    assert not counting.refused
    assert code == 3, output
    assert "cannot be reached" in output
    half = read_dataset(study, "probes").to_pandas()
    assert 0 < half["judge_reply"].notna().sum() < len(half)
    assert BEFORE_THE_KILL <= len(counting.answered) < len(prompts)

    server.start()
    code, output = relearn(*judging).finish(PATIENCE)
    assert code == 0, output
    assert set(counting.answered) == prompts
    assert set(counting.answered.values()) == {1}, "a reply that was kept is not asked for again"
    rows = read_dataset(study, "probes").to_pylist()
    unread = [row for row in rows if row["judge_rating"] is None]
    calls = sum(counting.answered.values())
    sys.stdout.write(f"{output}{calls} calls answered, {len(prompts)} cases, {len(rows)} rows\n")
    assert f"the replies to {len(unread)} of {len(rows)} answers could not be read" in output
    assert GIVEN or not unread
    assert all(rating(row["judge_reply"]) == row["judge_rating"] for row in rows)
