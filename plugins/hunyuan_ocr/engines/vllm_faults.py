"""What went wrong inside vLLM, sorted into our exceptions by who can act: the page, the setting, the GPU, the engine.

vLLM tells the parent process only that its core failed; the cause stands in the core's log. So the core also logs to a
file of ours (``core_log``), from which the cause is taken. Works on names and texts, not on vLLM's classes, so that it
can be tested without vLLM. It never repeats what was asked or answered.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

from hunyuan_ocr.exceptions import (
    EngineDiedError,
    EngineOutOfMemoryError,
    EngineRefusedError,
    HunyuanOCRError,
    PageRefusedError,
)

_OUT_OF_MEMORY = re.compile(
    r"OutOfMemoryError|CUDA out of memory|HIP out of memory|CUDA error: out of memory|"
    r"No available memory for the cache blocks|less than desired GPU memory utilization|"
    r"(?:larger|needed) than the available KV cache memory|KV cache is needed, which is larger|"
    r"can't allocate memory|Cannot allocate memory|\bMemoryError\b",
    re.IGNORECASE,
)
#: The last "SomeError: text" of a traceback, with or without vLLM's log prefix before it.
_CAUSE = re.compile(r"(?:^|\] |\s)((?:[\w.]+\.)?\w*(?:Error|Exception)): (.+)$")
#: vLLM's own line about a worker that was killed; the tracebacks after it only say that something was cancelled.
_KILLED = re.compile(r"Worker proc \S+ died unexpectedly \(exit code: -?\d+\)")
_GENERIC = ("Engine core initialization failed", "WorkerProc initialization failed", "EngineCore encountered an issue")
#: Raised by the frontend for one request: its picture or its words.
_PAGE_FAULTS = frozenset({
    "VLLMValidationError",
    "VLLMClientError",
    "VLLMUnprocessableEntityError",
    "ValueError",
    "UnidentifiedImageError",
    "DecompressionBombError",
})


def log_config(core_log: Path, level: str) -> str:
    """vLLM's logging set up as JSON (``VLLM_LOGGING_CONFIG_PATH``): what it logs anyway, and ``core_log`` besides."""
    handlers = {
        "stream": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": "line", "level": level},
        "cause": {
            "class": "logging.FileHandler",
            "filename": str(core_log),
            "encoding": "utf-8",
            "delay": True,
            "formatter": "line",
            "level": "ERROR",
        },
    }
    return json.dumps({
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(levelname)s [%(name)s] %(message)s"}},
        "handlers": handlers,
        "loggers": {"vllm": {"handlers": ["stream", "cause"], "level": level, "propagate": False}},
    })


def forget(core_log: Path) -> None:
    """Takes our file out of vLLM's logging in this process, before the file goes."""
    logger = logging.getLogger("vllm")
    for handler in list(logger.handlers):
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename) == core_log:
            logger.removeHandler(handler)
            handler.close()


def is_out_of_memory(text: str) -> bool:
    """Whether an error's name and text say that memory ran out: the GPU's, the cache's or the machine's."""
    return bool(_OUT_OF_MEMORY.search(text))


def cause_in(core_log: Path) -> str:
    """The innermost cause the core logged, as ``ErrorName: text`` on one line; empty when it logged none."""
    try:
        lines = core_log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    causes = [f"{found[1].rsplit('.', 1)[-1]}: {found[2].strip()}" for line in lines if (found := _CAUSE.search(line))]
    telling = [cause for cause in causes if not any(generic in cause for generic in _GENERIC)]
    out_of_memory = [cause for cause in telling if is_out_of_memory(cause)]
    killed = [found[0] for line in lines if (found := _KILLED.search(line))]
    # The first names what happened; what follows it are its consequences in other processes.
    return _short((out_of_memory or killed or telling or [""])[0])


def start_error(error: BaseException, core_log: Path, *, model: str) -> HunyuanOCRError:
    """What a failed start of the engine means. A retry repeats it, unless another process held the memory."""
    said = cause_in(core_log)
    if not said and (isinstance(error, TimeoutError) or "Failed core proc" in str(error)):
        return EngineDiedError(
            f"vLLM did not get ready with model {model} ({type(error).__name__}: {_short(str(error))}) and logged no "
            "cause: it was killed from outside (see dmesg), or takes longer than start_seconds. A retry may help."
        )
    cause = said or f"{type(error).__name__}: {_short(str(error))}"
    if is_out_of_memory(cause):
        return out_of_memory(cause, "while it started")
    return EngineRefusedError(
        f"vLLM could not start with model {model}: {cause} Check the model's folder and the pinned versions "
        "(hunyuan-ocr doctor); the log above has the whole story."
    )


def request_error(error: BaseException, core_log: Path, *, is_engine_dead: bool) -> HunyuanOCRError:
    """What an error raised for one question means."""
    root = error.__cause__ if type(error).__name__ == "EngineGenerateError" and error.__cause__ else error
    if is_engine_dead or type(root).__name__ == "EngineDeadError":
        return death(core_log, "its core process ended")
    text = f"{type(root).__name__}: {_short(_message_of(root))}"
    if is_out_of_memory(text):
        return out_of_memory(text, "on a page")
    if {cls.__name__ for cls in type(root).__mro__} & _PAGE_FAULTS:
        return PageRefusedError(f"vLLM refuses this page or question: {text}")
    return EngineDiedError(f"vLLM failed on a question in a way that is not known: {text} Start the task again.")


def death(core_log: Path, what: str) -> EngineDiedError:
    """The engine is gone: by its own log for lack of memory, or for another reason."""
    cause = cause_in(core_log)
    if is_out_of_memory(cause):
        return out_of_memory(cause, "while it answered")
    said = f"It logged: {cause}" if cause else "It logged no cause; one killed from outside does not (see dmesg)."
    return EngineDiedError(f"vLLM died: {what}. {said} Finished pages are kept; a retry starts it anew.")


def out_of_memory(cause: str, when: str) -> EngineOutOfMemoryError:
    return EngineOutOfMemoryError(
        f"vLLM ran out of memory {when}: {cause} See with nvidia-smi whether another process holds the GPU; otherwise "
        "lower gpu_memory_utilization (room for others), max_num_seqs or max_pixels; when the cache had no room, "
        "raise gpu_memory_utilization or lower max_model_len."
    )


def _message_of(error: BaseException) -> str:
    # str() of vLLM's validation errors appends the refused value, which may be the question itself.
    return str(error.args[0]) if error.args else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    # "Failed to apply HunYuanVLProcessor on data={...}" goes on with the picture and the question.
    line = re.sub(r" on data=.*", " on the picture", line)
    return line if len(line) <= 300 else line[:297] + "..."
