"""What went wrong between a server and us, sorted by whose fault it is and whether asking again can help. Pure.

The texts sorted here are those of vLLM and llama-server, and the bare statuses of the proxies before them. What a
server says is shown to people only shortened and without what it quotes of a request: no picture, prompt or key.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum


class Blame(StrEnum):
    """Who has to act on a fault."""

    #: This picture or prompt; asking again repeats it, other pages go on.
    REQUEST = "request"
    #: Our settings or the server's; every question would meet it.
    SETTING = "setting"
    #: The server, for now; asking again helps.
    SERVER = "server"
    #: The server's memory; asking again seldom helps.
    MEMORY = "memory"
    #: The way there and back; asking again helps.
    NETWORK = "network"


class FailedRequestError(Exception):
    """One failed request. Never leaves the engine: it becomes an error of the package or a retry.

    ``name`` is short and stable, for counters (``status_503``, ``reset``). ``retry_after`` is in seconds, None when
    the server named no time. ``is_unreachable`` means that nobody answered at all.
    """

    def __init__(
        self,
        blame: Blame,
        name: str,
        reason: str,
        *,
        retry_after: float | None = None,
        is_unreachable: bool = False,
    ) -> None:
        super().__init__(reason)
        self.blame = blame
        self.name = name
        self.reason = reason
        self.retry_after = retry_after
        self.is_unreachable = is_unreachable

    @property
    def may_pass(self) -> bool:
        return self.blame in (Blame.SERVER, Blame.NETWORK, Blame.MEMORY)


_OUT_OF_MEMORY = re.compile(r"out of memory|OutOfMemoryError|failed to allocate|cannot allocate memory", re.IGNORECASE)
_PICTURE = re.compile(r"decompression bomb|cannot identify image|Failed to load image|image file is truncated", re.I)
_CONTEXT = re.compile(r"maximum context length|exceed_context_size|exceeds the available context|max_model_len", re.I)
_NO_PICTURES = re.compile(r"not a multimodal model|image input is not supported|does not support image", re.IGNORECASE)
_UNKNOWN_KEY = re.compile(
    r"extra_forbidden|Extra inputs are not permitted|Unrecognized request argument", re.IGNORECASE
)
_MODEL = re.compile(r"model .{0,120}(does not exist|not found)|model_not_found", re.IGNORECASE)
_RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_SETTING_STATUSES = {
    402: "wants to be paid",
    405: "takes no questions at this address",
    407: "stands behind a proxy that wants a login",
    501: "cannot do what was asked",
    505: "speaks another version of HTTP",
}


def fault_of_response(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> FailedRequestError:
    """The fault that an answer with a status other than 200 means. ``body`` may be cut."""
    text = server_text(body)
    said = f": {readable(text).rstrip('. ')}" if text else ""
    name = f"status_{status}"
    if 300 <= status < 400:
        return FailedRequestError(
            Blame.SETTING, name, f"redirects (status {status}); set the address it leads to as base URL"
        )
    if status in (401, 403):
        # Never the server's words: some repeat a part of the key.
        return FailedRequestError(Blame.SETTING, name, f"refused the API key (status {status})")
    if status == 404:
        if _MODEL.search(text):
            return FailedRequestError(Blame.SETTING, "model_unknown", f"does not serve this model{said}")
        return FailedRequestError(Blame.SETTING, name, "has no /v1/chat/completions at this address (status 404)")
    if status in _SETTING_STATUSES:
        return FailedRequestError(Blame.SETTING, name, f"{_SETTING_STATUSES[status]} (status {status})")
    if status >= 500 or status in _RETRIED_STATUSES:
        return _passing(status, name, headers, text, said, now)
    return _refused(status, name, text, said)


def _passing(
    status: int, name: str, headers: Mapping[str, str], text: str, said: str, now: datetime | None
) -> FailedRequestError:
    if _OUT_OF_MEMORY.search(text):
        return FailedRequestError(Blame.MEMORY, "out_of_memory", f"ran out of memory (status {status}){said}")
    if _PICTURE.search(text):
        return FailedRequestError(Blame.REQUEST, name, f"cannot open the picture{said}")
    return FailedRequestError(
        Blame.SERVER,
        name,
        f"answered with status {status}{said}",
        retry_after=retry_after(headers, now=now),
    )


def _refused(status: int, name: str, text: str, said: str) -> FailedRequestError:
    if _NO_PICTURES.search(text):
        return FailedRequestError(Blame.SETTING, name, f"serves a model that takes no pictures{said}")
    if _UNKNOWN_KEY.search(text):
        return FailedRequestError(
            Blame.SETTING, name, f"does not take the sampling keys of vLLM and llama-server{said}"
        )
    if _CONTEXT.search(text):
        if "max_tokens=" in text:
            return FailedRequestError(
                Blame.SETTING,
                "context_length",
                f"allows fewer tokens than one answer may have{said}. Start it with a larger --max-model-len, or ask "
                "for fewer tokens",
            )
        return FailedRequestError(
            Blame.REQUEST,
            "context_length",
            f"finds the picture with its question longer than the context length{said}. A picture with fewer pixels, "
            "or a larger --max-model-len (--ctx-size), helps",
        )
    if status == 413:
        return FailedRequestError(
            Blame.REQUEST,
            name,
            "or a proxy before it takes no request of this size (status 413). Send fewer pixels, or raise the limit "
            "(nginx: client_max_body_size)",
        )
    return FailedRequestError(Blame.REQUEST, name, f"refused the question (status {status}){said}")


def server_text(body: bytes) -> str:
    """What the server says went wrong: the message of the error object, or the plain text; empty for HTML."""
    text = body[:65_536].decode("utf-8", "replace").strip()
    try:
        content = json.loads(text)
    except ValueError:
        return "" if text.startswith("<") else text
    if isinstance(content, dict):
        content = content.get("error", content.get("detail", content.get("message", "")))
    if isinstance(content, dict):
        kind, message = content.get("type", ""), content.get("message", "")
        return f"{message} ({kind})" if kind and "exceed_context_size" in str(kind) else str(message)
    return content if isinstance(content, str) else ""


def readable(text: str, limit: int = 240) -> str:
    """A server's message fit for a log: what it quotes of the request, and whatever looks encoded, is left out."""
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?\(parameter=.*\)", "", text)
    text = re.sub(r"[{\[].*[}\]]", "(…)", text)
    text = re.sub(r"\bdata:\S+|\S{60,}", "…", text)
    text = re.sub(r"(?i)\bbearer \S+|\bsk-\S+", "…", text)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """The seconds of a ``Retry-After`` header, a number or a date (RFC 9110, 10.2.3); None when there is none.

    A date is counted from the server's own ``Date``, so that a clock that goes wrong does no harm.
    """
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if not value:
        return None
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    then = _date(value)
    if then is None:
        return None
    sent = _date(next((value for name, value in headers.items() if name.lower() == "date"), ""))
    return max(0.0, (then - (sent or now or datetime.now(UTC))).total_seconds())


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def fault_of_exception(error: BaseException) -> FailedRequestError | None:
    """The fault behind an exception of the HTTP client; None when it is none of its business (a cancellation)."""
    import aiohttp

    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return FailedRequestError(
            Blame.SETTING,
            "certificate",
            f"shows a TLS certificate that is not trusted ({error.certificate_error.__class__.__name__}: "
            f"{getattr(error.certificate_error, 'verify_message', '') or 'not valid for this host'}). Name its "
            "authority's file as ca_file",
        )
    if isinstance(error, aiohttp.ClientSSLError):
        return FailedRequestError(
            Blame.SETTING, "tls", "does not speak TLS at this address: http:// instead of https://, or another port"
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return FailedRequestError(
            Blame.NETWORK, "unknown_host", "has a host name that nobody knows", is_unreachable=True
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        return FailedRequestError(
            Blame.NETWORK,
            "unreachable",
            f"cannot be reached ({error.strerror or 'no connection'})",
            is_unreachable=True,
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return FailedRequestError(
            Blame.NETWORK, "connect_timeout", "does not take the connection in time", is_unreachable=True
        )
    if isinstance(error, aiohttp.ClientPayloadError):
        return FailedRequestError(Blame.NETWORK, "half_read", "broke off in the middle of its answer")
    if isinstance(error, (aiohttp.ClientError, ConnectionError)):
        return FailedRequestError(Blame.NETWORK, "reset", "closed the connection without an answer")
    if isinstance(error, (TimeoutError, OSError)):
        return FailedRequestError(Blame.NETWORK, "network", "stopped answering on the network")
    return None
