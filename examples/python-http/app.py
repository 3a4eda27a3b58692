"""Greets on `GET /`, answers JSON with JSON on `POST /json`, and asks another server on `GET /fetch?url=...`.

What it prints to standard error is in the handler's log.
"""

import asyncio
import json
import sys
from urllib.parse import parse_qs, urlsplit

from componentize_py_types import Err, Ok
from poll_loop import PollLoop, Sink, Stream, send
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Get,
    Method_Post,
    OutgoingRequest,
    OutgoingResponse,
    ResponseOutparam,
    Scheme_Http,
    Scheme_Https,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        loop = PollLoop()
        asyncio.set_event_loop(loop)
        loop.run_until_complete(answer(request, response_out))


async def answer(request: IncomingRequest, response_out: ResponseOutparam) -> None:
    url = urlsplit(request.path_with_query() or "/")
    match (request.method(), url.path):
        case (Method_Get(), "/"):
            status, kind, body = 200, "text/plain", "Hello from Python!\n"
        case (Method_Post(), "/json"):
            status, kind, body = greet(await read(request))
        case (Method_Get(), "/fetch"):
            status, kind, body = await fetch(parse_qs(url.query).get("url", [""])[0])
        case _:
            status, kind, body = 404, "text/plain", f"nothing at {url.path}\n"
    print(f"answered with {status}", file=sys.stderr)
    response = OutgoingResponse(Fields.from_list([("content-type", kind.encode())]))
    response.set_status_code(status)
    sink = Sink(response.body())
    ResponseOutparam.set(response_out, Ok(response))
    await sink.send(body.encode())
    sink.close()


def greet(body: bytes) -> tuple[int, str, str]:
    try:
        greeting = f"Hello {json.loads(body)['name']}, from Python!"
    except (ValueError, KeyError, TypeError) as error:
        return 400, "text/plain", f"this is no JSON with a name in it: {error}\n"
    return 200, "application/json", json.dumps({"greeting": greeting})


async def fetch(url: str) -> tuple[int, str, str]:
    """`wasi:http` decides which servers can be asked: those that the handler's policy lets it reach."""
    parts = urlsplit(url)
    path = parts.path or "/"
    request = OutgoingRequest(Fields.from_list([]))
    try:
        request.set_scheme(Scheme_Https() if parts.scheme == "https" else Scheme_Http())
        request.set_authority(parts.netloc)
        request.set_path_with_query(f"{path}?{parts.query}" if parts.query else path)
        response = await send(request)
        size = len(await read(response))
    except Err as error:
        return 502, "text/plain", f"{url}: {error.value}\n"
    return 200, "text/plain", f"{url} answered {response.status()} with {size} bytes\n"


async def read(message) -> bytes:
    stream = Stream(message.consume())
    body = bytearray()
    while (chunk := await stream.next()) is not None:
        body += chunk
    return bytes(body)
