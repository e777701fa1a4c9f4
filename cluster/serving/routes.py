"""The routes of the API, and how each error becomes an answer. Starlette parses and routes; ``Service`` does."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from cluster.serving.answerer import Answer, Question, Text
from cluster.serving.errors import RefusedError, storage_full
from cluster.serving.limits import App, Guard
from cluster.serving.records import Object
from cluster.serving.requests import PROMPTS, ChatRequest, CompletionRequest, JobRequest, parsed
from cluster.serving.service import Service, job_object
from cluster.storage.disk_full import is_full

MOST_LISTED = 100
Handler = Callable[[Request, Service], Awaitable[Response | Object]]


def application(service: Service, token: str) -> App:
    """The whole ASGI application."""
    routes: list[tuple[str, str, Handler]] = [
        ("/v1/models", "GET", _models),
        ("/v1/models/{name:path}", "GET", _model),
        ("/v1/models/{name:path}", "DELETE", _delete_model),
        ("/v1/files", "GET", _files),
        ("/v1/files", "POST", _upload),
        ("/v1/files/{name}", "GET", _file),
        ("/v1/files/{name}", "DELETE", _delete_file),
        ("/v1/files/{name}/content", "GET", _content),
        ("/v1/fine_tuning/jobs", "GET", _jobs),
        ("/v1/fine_tuning/jobs", "POST", _create_job),
        ("/v1/fine_tuning/jobs/{name}", "GET", _job),
        ("/v1/fine_tuning/jobs/{name}/cancel", "POST", _cancel_job),
        ("/v1/fine_tuning/jobs/{name}/events", "GET", _events),
        ("/v1/fine_tuning/jobs/{name}/checkpoints", "GET", _checkpoints),
        ("/v1/completions", "POST", _completions),
        ("/v1/chat/completions", "POST", _chat),
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        service.start()
        yield
        service.end()

    app = Starlette(
        routes=[Route(path, _endpoint(handler, service), methods=[verb]) for path, verb, handler in routes],
        exception_handlers={
            HTTPException: _http_error,
            RefusedError: _refused,
            ClientDisconnect: _gone,
            OSError: _not_stored,
            Exception: _failed,
        },
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # a redirection would lead wherever the client's Host header says
    return Guard(app, token, service.choices.upload_bytes)


def _endpoint(handler: Handler, service: Service) -> Callable[[Request], Awaitable[Response]]:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        made = await handler(request, service)
        return made if isinstance(made, Response) else JSONResponse(made)

    return endpoint


async def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    return JSONResponse(error.body(), error.status, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "There is no such route.", 405: "This route does not take this method."}
    message = words.get(status, "The request cannot be read.")
    return await _refused(request, RefusedError(status, message, headers=getattr(error, "headers", None)))


async def _gone(request: Request, error: Exception) -> Response:
    """For nobody: the client closed its connection."""
    return Response(status_code=400)


async def _not_stored(request: Request, error: Exception) -> Response:
    if not is_full(error):
        raise error
    return await _refused(request, storage_full())


async def _failed(request: Request, error: Exception) -> Response:
    return JSONResponse(RefusedError(500, "The service failed.", "server_error").body(), 500)


async def _json(request: Request) -> Any:
    body = await request.body()
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # half of a character has no bytes
    except (ValueError, RecursionError):
        raise RefusedError(400, "The body is no JSON in UTF-8.", "invalid_json") from None
    return found


def _page(request: Request, objects: Sequence[Object]) -> Object:
    """A part of a list, as ``after`` and ``limit`` ask for it."""
    asked = request.query_params.get("limit", "20")
    if not asked.isascii() or not asked.isdigit() or len(asked) > 5 or not 1 <= int(asked) <= 10_000:
        raise RefusedError(400, f"limit={asked[:20]}: expected 1 to 10000", "invalid_value", "limit")
    after = request.query_params.get("after")
    start = 0
    if after is not None:
        start = 1 + next((at for at, each in enumerate(objects) if each["id"] == after), len(objects))
    chosen = list(objects[start : start + int(asked)])
    return {
        "object": "list",
        "data": chosen,
        "has_more": start + len(chosen) < len(objects),
        "first_id": chosen[0]["id"] if chosen else None,
        "last_id": chosen[-1]["id"] if chosen else None,
    }


async def _models(request: Request, service: Service) -> Object:
    return {"object": "list", "data": service.model_objects()}


async def _model(request: Request, service: Service) -> Object:
    return service.model_object(request.path_params["name"])


async def _delete_model(request: Request, service: Service) -> Object:
    name = request.path_params["name"]
    await run_in_threadpool(service.delete_model, name)
    return {"id": name, "object": "model", "deleted": True}


async def _files(request: Request, service: Service) -> Object:
    return _page(request, service.records.files())


async def _upload(request: Request, service: Service) -> Object:
    async with request.form(max_files=1, max_fields=4) as form:
        uploaded, purpose = form.get("file"), form.get("purpose")
        if purpose != "fine-tune":
            raise RefusedError(400, "purpose: expected fine-tune", "invalid_value", "purpose")
        if not isinstance(uploaded, UploadFile):
            raise RefusedError(
                400, "file: expected a file in a form (multipart/form-data)", "invalid_value", "file"
            )
        content = await uploaded.read()
        if len(content) > service.choices.upload_bytes:
            most = service.choices.upload_bytes
            raise RefusedError(413, f"The file has more than {most:,} bytes.", "request_too_large", "file")
        name = (uploaded.filename or "file.jsonl").encode("utf-8", "replace").decode()[:255]
    return await run_in_threadpool(service.records.add_file, name, content)


async def _file(request: Request, service: Service) -> Object:
    return service.records.file(request.path_params["name"])


async def _delete_file(request: Request, service: Service) -> Object:
    name = request.path_params["name"]
    await run_in_threadpool(service.records.delete_file, name)
    return {"id": name, "object": "file", "deleted": True}


async def _content(request: Request, service: Service) -> Response:
    known = service.records.file(request.path_params["name"])["id"]
    # Whole, whatever range is asked for: Starlette refuses one that it cannot read in a shape of its own.
    request.scope["headers"] = [each for each in request.scope["headers"] if each[0] != b"range"]
    return FileResponse(service.records.path_of(known), media_type="application/octet-stream")


async def _jobs(request: Request, service: Service) -> Object:
    wanted = {
        name[len("metadata[") : -1]: value
        for name, value in request.query_params.items()
        if name.startswith("metadata[") and name.endswith("]")
    }
    found = [job for job in service.records.jobs() if wanted.items() <= job["metadata"].items()]
    return _page(request, [job_object(job) for job in found])


async def _create_job(request: Request, service: Service) -> Object:
    asked = parsed(JobRequest, await _json(request))
    return job_object(await run_in_threadpool(service.create_job, asked))


async def _job(request: Request, service: Service) -> Object:
    return job_object(service.records.job(request.path_params["name"]))


async def _cancel_job(request: Request, service: Service) -> Object:
    return job_object(await run_in_threadpool(service.cancel_job, request.path_params["name"]))


async def _events(request: Request, service: Service) -> Object:
    return _page(request, await run_in_threadpool(service.records.events, request.path_params["name"]))


async def _checkpoints(request: Request, service: Service) -> Object:
    return _page(request, service.records.job(request.path_params["name"])["checkpoints"][::-1])


async def _completions(request: Request, service: Service) -> Object:
    asked = parsed(CompletionRequest, await _json(request))
    prompts = asked.prompts
    if not 1 <= len(prompts) <= PROMPTS:
        raise RefusedError(400, f"prompt: expected 1 to {PROMPTS} of them", "invalid_value", "prompt")
    if asked.targets is not None and len(asked.targets) != len(prompts):
        raise RefusedError(400, "targets: expected one for each prompt", "invalid_value", "targets")
    echo = bool(asked.echo)
    question = Question(prompts, asked.targets, asked.max_tokens, asked.logprobs, echo)
    texts = await _texts(request, service.ask(asked.model, question))
    choices = []
    for index, (prompt, text) in enumerate(zip(prompts, texts, strict=True)):
        said, reason = _stopped(text, asked.stops)
        shown = prompt if echo and isinstance(prompt, str) else ""
        choice: Object = {
            "index": index,
            "text": shown + said,
            "finish_reason": reason,
            "logprobs": _logprobs(text) if asked.logprobs is not None else None,
        }
        if text.target is not None:
            choice["target"] = dict(zip(("nll", "rank", "tokens"), text.target, strict=True))
        choices.append(choice)
    return {**_head("cmpl", "text_completion", asked.model), "choices": choices, "usage": _usage(texts)}


async def _chat(request: Request, service: Service) -> Object:
    asked = parsed(ChatRequest, await _json(request))
    messages = [message.model_dump() for message in asked.messages]
    most = asked.max_completion_tokens or asked.max_tokens or 16

    def question(resident: Any) -> Question:
        if not resident.tokenizer.chat_template:
            raise RefusedError(
                400, "This model has no chat template; use /v1/completions.", "no_chat_template", "model"
            )
        try:
            made = resident.tokenizer.apply_chat_template(
                messages, tokenize=True, add_generation_prompt=True, return_dict=False
            )
        except Exception as error:  # a template raises what it likes
            raise RefusedError(
                400, f"The model's chat template does not take these messages ({type(error).__name__}).",
                "invalid_value", "messages",
            ) from None  # fmt: skip
        return Question(
            [[int(each) for each in made]], None, most, asked.top_logprobs or 0 if asked.logprobs else None
        )

    texts = await _texts(request, service.ask(asked.model, question))
    said, reason = _stopped(texts[0], asked.stops)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said, "refusal": None},
        "finish_reason": reason,
        "logprobs": {"content": _chat_logprobs(texts[0]), "refusal": None} if asked.logprobs else None,
    }
    return {**_head("chatcmpl", "chat.completion", asked.model), "choices": [choice], "usage": _usage(texts)}


async def _texts(request: Request, answer: Answer) -> list[Text]:
    """What was asked; given up where the client goes away before it has come."""

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    made, left = asyncio.wrap_future(answer), asyncio.ensure_future(gone())
    either: set[asyncio.Future[Any]] = {made, left}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not made.done():
            raise ClientDisconnect
        return made.result()
    finally:
        left.cancel()
        if not made.done():
            answer.give_up()
            made.cancel()


def _head(kind: str, name: str, model: str) -> Object:
    return {
        "id": f"{kind}-{secrets.token_hex(12)}",
        "object": name,
        "created": int(time.time()),
        "model": model,
    }


def _stopped(text: Text, stops: Sequence[str]) -> tuple[str, str]:
    """The text up to the first stop, and why it ends."""
    cuts = [place for stop in stops if (place := text.text.find(stop)) >= 0]
    if cuts:
        return text.text[: min(cuts)], "stop"
    return text.text, "stop" if text.ended else "length"


def _logprobs(text: Text) -> Object:
    offsets, place = [], 0
    for token in text.tokens:
        offsets.append(place)
        place += len(token.text)
    return {
        "tokens": [token.text for token in text.tokens],
        "token_logprobs": [token.logprob for token in text.tokens],
        "top_logprobs": [token.top or None for token in text.tokens],
        "text_offset": offsets,
    }


def _chat_logprobs(text: Text) -> list[Object]:
    def entry(token: str, logprob: float | None) -> Object:
        return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}

    return [
        {**entry(token.text, token.logprob), "top_logprobs": [entry(*each) for each in token.top.items()]}
        for token in text.tokens
    ]


def _usage(texts: Sequence[Text]) -> Object:
    asked, made = sum(text.prompt_tokens for text in texts), sum(len(text.new) for text in texts)
    return {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": asked + made}
