"""Who may talk to the server: only pages that it has served itself, under its secret address."""

import secrets
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 16 * 2**20
"""Bytes that a request may carry; masks of 8K frames fit."""

_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Guard:
    """Lets requests pass whose path begins with the token, without it, and refuses all others.

    Web pages elsewhere cannot know the token; if one does, its origin gives it away, or, if it has
    made its own name lead to 127.0.0.1, the host that its requests are for.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str]) -> None:
        """Guard an app.

        Args:
            app: What answers.
            token: The first part of all paths.
            hosts: With ports, as browsers write them into requests.
        """
        self._app, self._token, self._hosts = app, token, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope["path"], headers)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        rest = scope["path"][len(self._token) + 1 :]
        inner = {**scope, "path": rest, "raw_path": rest.encode()}
        left = LARGEST_BODY

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:  # sent in pieces without saying how much is coming
                return {"type": "http.disconnect"}
            return message

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(inner, counted, with_headers)

    def _refusal(self, path: str, headers: Headers) -> PlainTextResponse | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if host not in self._hosts:
            return PlainTextResponse("wrong host", 421)
        token = path[1:].partition("/")[0]
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            return PlainTextResponse("wrong or missing token; use the address as printed", 403)
        if path == f"/{self._token}":
            return PlainTextResponse("", 307, {"location": f"/{self._token}/"})
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("wrong origin", 403)
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return PlainTextResponse("wrong origin", 403)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return PlainTextResponse(f"at most {LARGEST_BODY} bytes", 413)
        return None
