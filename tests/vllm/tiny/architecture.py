"""HunyuanOCR's architecture with as few parameters as a machine without a GPU can teach in minutes.

Same classes, same position embedding, same image tokens and the same files as the real checkpoint; only the sizes
differ. A page is scaled down to ``MOST_PIXELS``, on which nobody could read it: the model tells pages apart by their
look.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.vllm.tiny import vocabulary as v

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

LEAST_PIXELS, MOST_PIXELS = 64 * 64, 320 * 448
PATCH, MERGE = 16, 2
LONGEST_CONTEXT = 32_768


@dataclass(frozen=True)
class Sizes:
    """What makes the model small. The real one has 24 and 27 layers of 1024 and 1152, and heads of 128."""

    hidden: int = 64
    layers: int = 2
    heads: int = 2
    kv_heads: int = 1
    head: int = 32  # the smallest vLLM's attention takes on a CPU
    inner: int = 128
    vision_hidden: int = 64
    vision_layers: int = 1


def new_model(tokenizer: PreTrainedTokenizerFast, sizes: Sizes, seed: int) -> Any:
    """A model that knows nothing yet, with the weights it learns best from."""
    import torch
    from transformers import HunYuanVLForConditionalGeneration

    torch.manual_seed(seed)
    model = HunYuanVLForConditionalGeneration(_config(tokenizer, sizes))
    model.generation_config = _generation(tokenizer)
    _make_it_see(model)
    return model


def new_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import HunYuanVLImageProcessor, HunYuanVLProcessor

    images = HunYuanVLImageProcessor(
        size={"shortest_edge": LEAST_PIXELS, "longest_edge": MOST_PIXELS},
        patch_size=PATCH,
        merge_size=MERGE,
        temporal_patch_size=1,
    )
    return HunYuanVLProcessor(image_processor=images, tokenizer=tokenizer, chat_template=v.CHAT_TEMPLATE)


def write(folder: Path, model: Any, processor: Any) -> None:
    """The checkpoint as Hugging Face folders are laid out."""
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _config(tokenizer: PreTrainedTokenizerFast, sizes: Sizes) -> Any:
    from transformers import HunYuanVLConfig

    def number(token: str) -> int:
        found = tokenizer.convert_tokens_to_ids(token)
        assert isinstance(found, int)
        return found

    axes = 4  # position, width, height, image
    return HunYuanVLConfig(
        architectures=["HunYuanVLForConditionalGeneration"],
        tie_word_embeddings=True,
        image_token_id=number(v.IMAGE),
        im_start_id=number(v.IMAGE_START),
        im_end_id=number(v.IMAGE_END),
        im_newline_id=number(v.IMAGE_NEWLINE),
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": sizes.hidden,
            "intermediate_size": sizes.inner,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "num_key_value_heads": sizes.kv_heads,
            "head_dim": sizes.head,
            "hidden_act": "silu",
            "attention_bias": False,
            "max_position_embeddings": LONGEST_CONTEXT,
            "rms_norm_eps": 1e-5,
            "tie_word_embeddings": True,
            "bos_token_id": number(v.BEGIN),
            "eos_token_id": number(v.ASSISTANT),
            "pad_token_id": number(v.PAD),
            "eod_token_id": number(v.END_OF_DOCUMENT),
            "rope_parameters": {
                "rope_type": "xdrope",
                "type": "xdrope",
                "rope_theta": 10_000.0,
                "alpha": 1000.0,
                "factor": 1.0,
                "beta_fast": 32,
                "beta_slow": 1,
                "mscale": 1.0,
                "mscale_all_dim": 1.0,
                "xdrope_section": [sizes.head // 2 // axes] * axes,
            },
        },
        vision_config={
            "hidden_size": sizes.vision_hidden,
            "intermediate_size": 2 * sizes.vision_hidden,
            "num_hidden_layers": sizes.vision_layers,
            "num_attention_heads": 2,
            "hidden_act": "gelu",
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 1,
            "num_channels": 3,
            "out_hidden_size": sizes.hidden,
            "text_hidden_size": sizes.hidden,
            "max_image_size": 512,
            "min_image_size": 64,
            "interpolate_mode": "bilinear",
            "rms_norm_eps": 1e-5,
        },
    )


def _generation(tokenizer: PreTrainedTokenizerFast) -> Any:
    from transformers import GenerationConfig

    ends = tokenizer.convert_tokens_to_ids([v.ASSISTANT, v.END_OF_DOCUMENT])
    return GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, pad_token_id=tokenizer.pad_token_id, eos_token_id=ends, do_sample=False
    )


def _make_it_see(model: Any) -> None:
    """Start from weights that let the picture through.

    With the library's own (standard deviation 0.02) so small a model learns the answers by their text and never looks
    at the page. Each weight gets the spread that keeps the signal's size; patches of white paper start at zero, so
    that only ink is seen; and every place on the page starts different from every other.
    """
    import torch
    from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

    patches = model.model.vision_tower.embeddings
    embeddings = {id(model.get_input_embeddings().weight), id(patches.position_embedding.weight)}
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim >= 2 and id(weight) not in embeddings:
                weight.normal_(0, weight[0].numel() ** -0.5)
        patches.position_embedding.weight.normal_(0, 0.5)
        patches.patch_embedding.weight.normal_(0, 0.05)
        white = (1 - torch.tensor(OPENAI_CLIP_MEAN)) / torch.tensor(OPENAI_CLIP_STD)
        patches.patch_embedding.bias.copy_(-(patches.patch_embedding.weight.sum((2, 3)) @ white))
