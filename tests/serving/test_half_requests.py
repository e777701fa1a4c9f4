"""Clients that send half a request, or do not read: ended in time, however many, and the others are answered."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from cluster.serving import connections
from study.settings.relearning import own_name
from tests.serving.servers import Server

SECONDS = 0.4
MODEL = own_name("unlearned", "gradient_ascent", 7, 0, 2)
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
Connect = Callable[[], socket.socket]


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """As much as the path says, after as many SECONDS as the query says."""
    while (await receive()).get("more_body"):
        pass
    await asyncio.sleep(SECONDS * int(scope["query_string"] or 0))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for left in range(int(scope["path"][1:] or 1), 0, -1):
        await send({"type": "http.response.body", "body": b"a" * 100_000, "more_body": left > 1})


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Connects to uvicorn with our connections, which have little time."""
    monkeypatch.setattr(connections, "SECONDS", SECONDS)
    monkeypatch.setattr(connections, "LOOK_SECONDS", SECONDS / 8)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(answers, http=connections.Connection, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    made: list[socket.socket] = []

    def connected() -> socket.socket:
        made.append(socket.create_connection(listening.getsockname(), 30))
        return made[-1]

    yield connected
    for each in made:
        each.close()
    server.should_exit = True
    thread.join()


def until_its_end(connection: socket.socket) -> bytes:
    """What comes until the server ends the connection; the socket's timeout is the test's failure."""
    found = b""
    try:
        while part := connection.recv(1 << 16):
            found += part
    except ConnectionResetError:
        pass
    return found


POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
HALVES = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHos",
    "no body": POST + b"Content-Length: 9\r\n\r\n",
    "half a body": POST + b"Content-Length: 9\r\n\r\nabc",
    "half a chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
    "no last chunk": POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
}


@pytest.mark.parametrize("half", HALVES.values(), ids=HALVES)
def test_half_a_request_is_ended(connect: Connect, half: bytes) -> None:
    connection = connect()
    connection.sendall(half)
    assert until_its_end(connection) == b""


def test_a_head_that_comes_byte_by_byte_is_ended(connect: Connect) -> None:
    connection, ended = connect(), threading.Event()

    def trickle() -> None:
        while not ended.wait(SECONDS / 4):
            try:
                connection.sendall(b"a")
            except OSError:
                return

    connection.sendall(b"GET / HTTP/1.1\r\nX: ")
    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        assert until_its_end(connection) == b""
    finally:
        ended.set()
        thread.join()


def test_a_client_that_does_not_read_is_ended(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /500 HTTP/1.1\r\nHost: x\r\n\r\n")
    connection.recv(1)
    threading.Event().wait(4 * SECONDS)
    assert len(until_its_end(connection)) < 500 * 100_000


def test_who_waits_for_a_slow_answer_or_sends_a_large_body_is_not(connect: Connect) -> None:
    connection = connect()
    connection.sendall(b"GET /?3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert until_its_end(connection).endswith(b"a" * 100_000 + b"\r\n0\r\n\r\n")
    connection = connect()
    connection.sendall(POST + b"Connection: close\r\nContent-Length: 50000\r\n\r\n")
    for _ in range(10):  # half as fast again as the slowest that is taken
        threading.Event().wait(SECONDS / 4)
        connection.sendall(b"a" * 5000)
    assert b"200 OK" in until_its_end(connection)


def test_however_many_wait_the_next_is_answered(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "SECONDS", 600)
    monkeypatch.setattr(connections, "MOST", 5)
    waiting = [connect() for _ in range(20)]
    connection = connect()
    connection.sendall(WHOLE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert b"200 OK" in until_its_end(connection)
    assert [until_its_end(each) for each in waiting[:15]] == [b""] * 15


def test_what_a_client_leaves_is_given_up(attacked: Path, tmp_path: Path) -> None:
    """Bodies that break off, questions that nobody waits for, and Ctrl-C in the middle of both."""
    server = Server(attacked, tmp_path / "service")
    try:
        host, port = server.url.removeprefix("http://").removesuffix("/v1").split(":")
        asked = {"model": MODEL, "prompt": ["Anthony"] * 2000, "max_tokens": 60, "logprobs": 5}
        minutes = json.dumps(asked).encode()

        def sent(route: str, kind: str, body: bytes, length: int) -> socket.socket:
            connection = socket.create_connection((host, int(port)), 30)
            head = f"POST /v1/{route} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
            connection.sendall(f"{head}Authorization: Bearer {server.token}\r\n\r\n".encode() + body)
            return connection

        for _ in range(20):
            sent("completions", "application/json", minutes, len(minutes)).close()
            sent("completions", "application/json", b"{", 50_000).close()
            sent("files", "multipart/form-data; boundary=b", b"--b\r\n", 50_000).close()
        few = json.dumps({**asked, "prompt": "Anthony", "max_tokens": 1}).encode()
        assert server.call("POST", "/completions", few)[0] == 200
        open_until_the_end = [
            sent("completions", "application/json", minutes, len(minutes)),
            sent("files", "multipart/form-data; boundary=b", b"--b\r\n", 50_000),
        ]
        assert server.call("GET", "/models")[0] == 200
        assert server.stop() == 0
        for each in open_until_the_end:
            each.close()
        assert "Traceback" not in server.said(), server.said()
    finally:
        server.kill()
