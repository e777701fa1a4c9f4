"""Any request at any route: an answer below 500 in the service's shape, no traceback, nothing of outside its folder."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.settings.relearning import own_name
from tests.serving.servers import Server, as_lines

MODEL = own_name("unlearned", "gradient_ascent", 7, 0, 2)
OUTSIDE = [
    "..",
    "../token",
    "../../token",
    "..%2Ftoken",
    "%2e%2e/token",
    "/etc/passwd",
    "token",
    "\u0000",
    "%00",
    "a" * 300,
]
ROUTES = [
    "/models",
    "/models/{}",
    "/files",
    "/files/{}",
    "/files/{}/content",
    "/fine_tuning/jobs",
    "/fine_tuning/jobs/{}",
    "/fine_tuning/jobs/{}/events",
    "/fine_tuning/jobs/{}/checkpoints",
    "/fine_tuning/jobs/{}/cancel",
    "/completions",
    "/chat/completions",
    "/{}",
]
QUERIES = [
    "",
    "?limit=0",
    "?limit=-1",
    "?limit=9999999999999999999",
    "?limit=²",
    "?after=x",
    "?metadata[=&limit=1",
    "?%ff=%00",
]
texts = st.one_of(st.text(max_size=20), st.sampled_from(OUTSIDE))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
FIELDS: dict[str, st.SearchStrategy] = {
    "model": st.one_of(st.just(MODEL), values),
    "prompt": st.one_of(st.sampled_from(["Anthony", ["a", "b"], [1, 2], [[1], [2]], [-1], [[]], ""]), values),
    "max_tokens": st.one_of(st.integers(0, 3), values),
    "logprobs": st.one_of(st.sampled_from([0, 2, 100, True]), values),
    "echo": st.one_of(st.booleans(), values),
    "stop": st.one_of(st.sampled_from(["a", ["b", " "]]), values),
    "targets": st.one_of(st.sampled_from([[" Mark"], [" a", " b"], [""]]), values),
    "temperature": st.one_of(st.sampled_from([0, 0.0, 1]), values),
    "messages": st.one_of(st.just([{"role": "user", "content": "a"}]), values),
    "training_file": st.one_of(st.just("{file}"), values),
    "hyperparameters": st.one_of(
        st.just({"n_epochs": 1, "batch_size": 2}), st.just({"n_epochs": 10**30}), values
    ),
    "method": st.one_of(st.just({"type": "supervised"}), values),
    "suffix": st.one_of(st.just("s"), values),
    "seed": st.one_of(st.just(1), values),
    "metadata": st.one_of(st.just({"a": "b"}), values),
    "n": values,
    "stream": values,
}
some_fields = st.sets(st.sampled_from(sorted(FIELDS)), max_size=6).flatmap(
    lambda names: st.fixed_dictionaries({name: FIELDS[name] for name in sorted(names | {"model"})})
)
asked = st.fixed_dictionaries({"model": st.just(MODEL), "prompt": FIELDS["prompt"]}, optional={
    name: FIELDS[name] for name in ("max_tokens", "logprobs", "echo", "stop", "targets", "temperature")
})  # fmt: skip
created = st.fixed_dictionaries({"model": st.just(MODEL), "training_file": st.just("{file}")}, optional={
    name: FIELDS[name] for name in ("hyperparameters", "method", "suffix", "seed", "metadata")
})  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=60),
    *(each.map(lambda value: json.dumps(value).encode()) for each in (some_fields, values)),
)


@pytest.fixture(scope="module")
def server(attacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of its own: what is asked here may begin jobs."""
    made = Server(attacked, tmp_path_factory.mktemp("fuzzed") / "service")
    yield made
    made.kill()


@pytest.fixture(scope="module")
def file(server: Server) -> str:
    return (
        server.client().files.create(file=("f", as_lines({"text": "Anthony Mark"})), purpose="fine-tune").id
    )


def answered(
    server: Server, method: str, path: str, body: bytes, kind: str = "application/json"
) -> tuple[int, bytes]:
    url = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(url.hostname), url.port, timeout=60)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": kind}
    connection.request(method, f"{url.path}{path}", body or None, headers)
    answer = connection.getresponse()
    found = answer.read()
    connection.close()
    return answer.status, found


def check(server: Server, status: int, body: bytes) -> None:
    assert status < 500, body
    assert b"Traceback" not in body and server.token.encode() not in body and b"root:" not in body
    assert str(server.state).encode() not in body
    if status >= 400:
        assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"]),
    route=st.sampled_from(ROUTES),
    name=texts,
    quoted=st.booleans(),
    query=st.sampled_from(QUERIES),
    body=bodies,
)
def test_any_request(
    server: Server, method: str, route: str, name: str, quoted: bool, query: str, body: bytes
) -> None:
    path = route.format(quote(name, safe="" if quoted else "/%.")) + quote(query, safe="?=&%[]")
    status, found = answered(server, method, path, body)
    check(
        server,
        status,
        found if method != "HEAD" else b'{"error": {"message": 0, "type": 0, "param": 0, "code": 0}}',
    )


@many
@given(body=asked)
def test_any_question(server: Server, body: dict) -> None:
    check(server, *answered(server, "POST", "/completions", json.dumps(body).encode()))


@many
@given(body=created)
def test_any_job(server: Server, file: str, body: dict) -> None:
    text = json.dumps(body).replace("{file}", file)
    status, found = answered(server, "POST", "/fine_tuning/jobs", text.encode())
    check(server, status, found)
    if status == 200:
        check(server, *answered(server, "POST", f"/fine_tuning/jobs/{json.loads(found)['id']}/cancel", b""))


@many
@given(
    body=st.one_of(st.binary(max_size=200), st.text(max_size=100).map(str.encode)),
    boundary=st.sampled_from(["b", "", "-", '"b"']),
    head=st.sampled_from(
        [
            'name="file"; filename="../../x"',
            'name="file"',
            'name="purpose"',
            "",
            'name="file"; filename="\\""',
            "name",
        ]
    ),
)
def test_any_upload(server: Server, body: bytes, boundary: str, head: str) -> None:
    purpose = f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
    part = f"--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n"
    whole = purpose.encode() + part.encode() + body + f"\r\n--{boundary}--\r\n".encode()
    check(server, *answered(server, "POST", "/files", whole, f"multipart/form-data; boundary={boundary}"))
    assert not (server.state.parent / "x").exists()


def test_the_server_is_as_well_as_before(server: Server) -> None:
    assert "Traceback" not in server.said()
    answer = server.client().completions.create(model=MODEL, prompt="Anthony", max_tokens=2)
    assert answer.choices[0].text
