"""A question until its answer: retries where they help, a second sending beside a straggler, a deadline in any case.

The rules, by whose fault it is (``server_faults``):

- the request's: PageRefusedError at once; a setting's: EngineRefusedError at once;
- the server's and the network's: again after a random, growing pause or the time the server named, at another endpoint
  when there is one, at most ``retries`` times; an endpoint that cannot be reached is left out, and waiting for one to
  come back is no retry;
- memory's: twice, then EngineOutOfMemoryError;
- a picture that fails every time in a way a picture can bring about, while the same server answers another picture, is
  the page's fault: PageRefusedError. Where the other picture fails as well it is the server's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from functools import cache

from hunyuan_ocr.engines.base import Answer, Picture, Prompt, Sampling
from hunyuan_ocr.engines.endpoints import Endpoint, Endpoints
from hunyuan_ocr.engines.probe import PROBE_PROMPT_TEXT, probe_pages
from hunyuan_ocr.engines.retrying import Patience, pause
from hunyuan_ocr.engines.server_faults import Blame, FailedRequestError
from hunyuan_ocr.engines.server_options import ServerOptions
from hunyuan_ocr.engines.server_request import ServerRequests
from hunyuan_ocr.engines.server_start import start_error
from hunyuan_ocr.engines.stats import EngineStats
from hunyuan_ocr.exceptions import (
    EngineDiedError,
    EngineOutOfMemoryError,
    EngineUnavailableError,
    HunyuanOCRError,
    PageRefusedError,
)

log = logging.getLogger(__name__)

#: What one picture alone can bring about on a server that is otherwise well. Overload (429, 502, 503, 504) cannot.
_MAY_BE_THE_PAGE = frozenset({"status_500", "reset", "half_read", "aborted", "garbled", "empty_body"})
_ENOUGH_TO_SUSPECT_THE_PAGE = 3
_OVERLOAD = frozenset({"status_429", "status_502", "status_503", "status_504"})
#: By how many doublings the first pause after overload is longer.
_HEAD_START = 3
_TRIES_OUT_OF_MEMORY = 2
_CONTROL_SECONDS = 60.0
#: How often a waiting question looks whether anything has gone forward. Seconds.
_GLANCE = 1.0


@dataclass(slots=True, eq=False)
class _Question:
    """One question and what has become of it so far. ``only`` pins it to an endpoint."""

    picture: Picture
    prompt: Prompt
    only: Endpoint | None
    since: float = field(default_factory=time.monotonic)
    faults: list[FailedRequestError] = field(default_factory=list)
    last: Endpoint | None = None
    #: When (monotonic seconds) it may be sent a second time again, after a second sending failed.
    no_second_before: float = 0.0

    @property
    def kind(self) -> int:
        return self.prompt.sampling.max_tokens

    def count(self, name: str) -> int:
        return sum(fault.name == name for fault in self.faults)

    @property
    def tries(self) -> int:
        """Failed ones that count; not to have reached anybody does not, unless there is nobody else to wait for."""
        return sum(self.only is not None or not fault.is_unreachable for fault in self.faults)


class _Sending:
    """A request under way; ``seconds`` is how long it has been, 0 while it waits at a gate."""

    task: asyncio.Task[Answer]

    def __init__(self, endpoint: Endpoint, *, is_second: bool = False) -> None:
        self.endpoint = endpoint
        self.is_second = is_second
        self._begun: float | None = None

    def begin(self) -> None:
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        return 0.0 if self._begun is None else time.monotonic() - self._begun


class Asking:
    """Asks questions over endpoints. ``stats`` is kept up to date."""

    def __init__(
        self, endpoints: Endpoints, requests: ServerRequests, options: ServerOptions, stats: EngineStats
    ) -> None:
        self._endpoints = endpoints
        self._requests = requests
        self._options = options
        self._stats = stats
        self._patience = Patience(options.straggler_factor, options.straggler_floor)
        self._places = asyncio.Semaphore(options.max_in_flight)
        self._second_sendings = 0
        self._last_answer = time.monotonic()

    async def answer(self, picture: Picture, prompt: Prompt, only: Endpoint | None = None) -> Answer:
        """The answer, from any endpoint or from ``only`` that. Raises as ``engines.base.Engine`` says."""
        async with self._places:
            question = _Question(picture, prompt, only)
            self._stats.in_flight += 1
            try:
                answer = await self._until_deadline(question)
            except PageRefusedError:
                self._stats.refused_pages += 1
                raise
            except HunyuanOCRError:
                self._stats.failed_questions += 1
                raise
            finally:
                self._stats.in_flight -= 1
            self._stats.answers += 1
            self._stats.prompt_tokens += answer.prompt_tokens
            self._stats.completion_tokens += answer.completion_tokens
            return answer

    async def _until_deadline(self, question: _Question) -> Answer:
        try:
            async with asyncio.timeout(self._options.request_timeout) as deadline:
                return await self._with_retries(question)
        except TimeoutError:
            if not deadline.expired():
                raise
        last = f" The last fault: it {question.faults[-1].reason}." if question.faults else ""
        outs = [endpoint.name for endpoint in self._endpoints if not endpoint.is_admitted]
        raise EngineUnavailableError(
            f"No answer within {self._options.request_timeout:g} s ({len(question.faults)} failed tries)."
            + (f" Out of order: {', '.join(outs)}." if outs else "")
            + last
            + " Look at the server's load and log; fewer questions at once (max_in_flight) may help."
        )

    async def _with_retries(self, question: _Question) -> Answer:
        while True:
            endpoint = question.only or await self._endpoints.choose(question.last)
            try:
                return await self._with_second_sending(question, endpoint)
            except FailedRequestError as fault:
                question.faults.append(fault)
                if not await self._may_retry(question, fault):
                    raise await self._final_error(question, fault) from None
                self._stats.retries[fault.name] += 1
                await asyncio.sleep(self._pause(question, fault))

    async def _with_second_sending(self, question: _Question, endpoint: Endpoint) -> Answer:
        """The first answer of one sending, or of a second beside it when the first is a straggler."""
        sendings = [_Sending(endpoint)]
        sendings[0].task = asyncio.create_task(self._send(question, sendings[0]))
        try:
            while True:
                await asyncio.wait(
                    [sending.task for sending in sendings],
                    timeout=self._glance(question, sendings),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                fault = None
                for sending in [sending for sending in sendings if sending.task.done()]:
                    sendings.remove(sending)
                    try:
                        answer = sending.task.result()
                    except FailedRequestError as error:
                        fault = error
                        continue
                    self._patience.learn(question.kind, answer.seconds)
                    self._stats.doubled_won += sending.is_second
                    return answer
                if fault is not None:
                    if not sendings or not fault.may_pass:
                        raise fault
                    # The other one may still answer. What failed beside it counts, and is given its pause.
                    question.faults.append(fault)
                    self._stats.retries[fault.name] += 1
                    question.no_second_before = time.monotonic() + self._pause(question, fault)
                self._look_for_progress(question)
                if other := self._second_endpoint(question, sendings):
                    sendings.append(second := _Sending(other, is_second=True))
                    second.task = asyncio.create_task(self._send(question, second))
                    second.task.add_done_callback(self._forget_second)
                    self._second_sendings += 1
                    self._stats.doubled += 1
        finally:
            for sending in sendings:
                sending.task.cancel()
            await asyncio.gather(*(sending.task for sending in sendings), return_exceptions=True)

    def _glance(self, question: _Question, sendings: list[_Sending]) -> float:
        limit = self._straggler_limit(question, sendings)
        left = _GLANCE if limit is None else limit - sendings[-1].seconds
        left = max(left, question.no_second_before - time.monotonic())
        # Past its limit it waits for room for a second sending, and looks for that now and then.
        return min(_GLANCE, left if left > 0.0 else _GLANCE / 4)

    def _straggler_limit(self, question: _Question, sendings: list[_Sending]) -> float | None:
        """When the latest sending counts as a straggler: later with each that is under way beside it."""
        is_idle = self._stats.in_flight <= self._options.max_in_flight // 2
        limit = self._patience.limit(question.kind, is_idle=is_idle)
        return None if limit is None or question.only is not None else limit * 2.0 ** (len(sendings) - 1)

    def _second_endpoint(self, question: _Question, sendings: list[_Sending]) -> Endpoint | None:
        """Where to send the question a second time, if it is time and there is room for that."""
        limit = self._straggler_limit(question, sendings)
        if (
            limit is None
            or sendings[-1].seconds < limit
            or time.monotonic() < question.no_second_before
            or question.tries > self._options.retries
            # All are slow when the server is: then second sendings would only make it slower.
            or self._second_sendings >= max(1, self._options.max_in_flight // 8)
        ):
            return None
        return self._endpoints.choose_now(sendings[-1].endpoint)

    def _forget_second(self, _: asyncio.Task[Answer]) -> None:
        self._second_sendings -= 1

    async def _send(self, question: _Question, sending: _Sending) -> Answer:
        endpoint = sending.endpoint
        self._stats.requests += 1
        try:
            answer = await self._requests.send(
                endpoint, question.picture, question.prompt, sending.begin, cuts=question.count("cut_at_gate")
            )
        except FailedRequestError as fault:
            question.last = endpoint
            if fault.blame is not Blame.REQUEST:
                endpoint.failed(fault.retry_after)
            if fault.is_unreachable:
                self._endpoints.put_out(endpoint, fault.reason)
            elif fault.may_pass:
                self._endpoints.look_at(endpoint)
            raise
        self._last_answer = time.monotonic()
        endpoint.answered()
        return answer

    def _look_for_progress(self, question: _Question) -> None:
        silent = time.monotonic() - max(self._last_answer, question.since)
        if silent > self._options.progress_timeout:
            raise EngineDiedError(
                f"The engine's servers have answered nothing for {silent:.0f} s while {self._stats.in_flight} "
                "questions wait: a server hangs. Restart it (a vLLM whose core died can hang without an error)."
            )

    async def _may_retry(self, question: _Question, fault: FailedRequestError) -> bool:
        if not fault.may_pass or question.tries > self._options.retries:
            return False
        if fault.blame is Blame.MEMORY and question.count(fault.name) >= _TRIES_OUT_OF_MEMORY:
            return False
        # Waiting is of use only while the answer can still come in time; another endpoint need not be waited for.
        left = question.since + self._options.request_timeout - time.monotonic()
        return (fault.retry_after or 0.0) < left or self._has_another(question)

    def _has_another(self, question: _Question) -> bool:
        return question.only is None and any(endpoint is not question.last for endpoint in self._endpoints.admitted)

    def _pause(self, question: _Question, fault: FailedRequestError) -> float:
        # An overloaded server needs time; one that failed at a request is ready for the next at once.
        attempt = len(question.faults) + (_HEAD_START if fault.name in _OVERLOAD else 0)
        random_pause = pause(attempt, self._options.shortest_pause, self._options.longest_pause)
        if fault.retry_after is None or self._has_another(question):
            return random_pause
        # A little more than asked for, or all come back in the same instant.
        return fault.retry_after + random_pause / 4

    async def _final_error(self, question: _Question, fault: FailedRequestError) -> Exception:
        name = question.last.name if question.last else "?"
        if fault.blame is Blame.REQUEST:
            return PageRefusedError(f"Engine server {name} {fault.reason}.")
        if fault.blame is Blame.SETTING:
            return start_error(fault, name, self._options.connection)
        if fault.blame is Blame.MEMORY:
            return EngineOutOfMemoryError(
                f"Engine server {name} {fault.reason}. Give it less at once (max_in_flight, --max-num-seqs), send "
                "fewer pixels, or free the GPU of other processes."
            )
        if question.last is not None and await self._is_the_page(question, question.last):
            return PageRefusedError(
                f"Engine server {name} failed at this picture {len(question.faults)} times and answers another: it "
                f"{fault.reason}."
            )
        return EngineUnavailableError(
            f"Engine server {name} {fault.reason}; tried {len(question.faults)} times in "
            f"{time.monotonic() - question.since:.0f} s. Nothing is lost: try again later, and look at its log."
        )

    async def _is_the_page(self, question: _Question, endpoint: Endpoint) -> bool:
        """Whether the server is well and only this picture fails: it is asked about a plain one instead."""
        names = {fault.name for fault in question.faults}
        if len(question.faults) < _ENOUGH_TO_SUSPECT_THE_PAGE or not names <= _MAY_BE_THE_PAGE:
            return False
        prompt = Prompt(PROBE_PROMPT_TEXT, Sampling(max_tokens=1, repetition_guard=None))
        for _ in range(_ENOUGH_TO_SUSPECT_THE_PAGE):
            self._stats.requests += 1
            try:
                async with asyncio.timeout(_CONTROL_SECONDS):
                    await self._requests.send(endpoint, _control_picture(), prompt, _Sending(endpoint).begin)
            except (FailedRequestError, TimeoutError):
                continue
            return True
        return False


@cache
def _control_picture() -> Picture:
    return probe_pages(0)[0].picture
