"""The prior side of VitsModel of transformers: its settings as a spec, its weights by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import Importer, ImportPlan, Origin, Published, PublishedSettings

NAMES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    # the encoder
    (r"^encoder\.", "text_encoder."),
    (r"\.embedding\.", ".embed_tokens."),
    (r"\.prior\.", ".project."),
    (r"^text_encoder\.layers\.", "text_encoder.encoder.layers."),
    (r"\.attention\.query\.", ".attention.q_proj."),
    (r"\.attention\.out\.", ".attention.out_proj."),
    (r"\.relative\.of_(key|value)s", lambda found: f".attention.emb_rel_{found[1][0]}"),
    (r"\.first\.conv\.", ".feed_forward.conv_1."),
    (r"\.second\.conv\.", ".feed_forward.conv_2."),
    (r"\.attention_norm\.", ".layer_norm."),
    (r"\.conv_norm\.", ".final_layer_norm."),
    # the duration predictor
    (r"\.hidden_in\.", ".conv_pre."),
    (r"\.hidden_out\.", ".conv_proj."),
    (r"\.hidden_convs\.", ".conv_dds."),
    (r"\.duration_in\.", ".post_conv_pre."),
    (r"\.duration_out\.", ".post_conv_proj."),
    (r"\.duration_convs\.", ".post_conv_dds."),
    (r"^(duration_predictor)\.flow\.", r"\1.flows."),
    (r"^(duration_predictor)\.posterior\.", r"\1.post_flows."),
    (r"(flows\.\d+)\.out\.", r"\1.conv_proj."),
    (r"\.depthwise\.(\d+)\.conv\.", r".convs_dilated.\1."),
    (r"\.pointwise\.(\d+)\.", r".convs_pointwise.\1."),
    (r"\.depthwise_norms\.(\d+)\.", r".norms_1.\1."),
    (r"\.pointwise_norms\.(\d+)\.", r".norms_2.\1."),
    (r"\.convs\.", ".conv_dds."),
    (r"\.shift$", ".translate"),
    # the flow
    (r"^decoder\.flow\.couplings\.(\d+)\.out\.", r"flow.flows.\1.conv_post."),
    (r"^decoder\.flow\.couplings\.", "flow.flows."),
    (r"\.wavenet\.gated\.", ".wavenet.in_layers."),
    (r"\.wavenet\.out\.", ".wavenet.res_skip_layers."),
    (r"\.direction$", ".parametrizations.weight.original1"),
    (r"\.length$", ".parametrizations.weight.original0"),
    # of both
    (r"(flows\.\d+)\.first\.", r"\1.conv_pre."),
)
"""Our names → those of the reference, in this order."""

_OLD = (
    (r"parametrizations\.weight\.original0$", "weight_g"),
    (r"parametrizations\.weight\.original1$", "weight_v"),
)
"""What weight normalisation called its two tensors before torch 2."""

_ONE_STEP = re.compile(
    r"(encoder\.prior|(hidden|duration)_(in|out)|pointwise\.\d+|(flow|posterior|couplings)\.\d+\.(first|out))\.weight$"
    r"|\.(shift|log_scale)$"
)
"""Convolutions over one step, and what stands for one step, which are plain in ours."""

_NOT_PRIOR = "it is not of the prior side"
_WAVE = (
    *("upsample_initial_channel", "upsample_rates", "upsample_kernel_sizes", "leaky_relu_slope"),
    *("resblock_kernel_sizes", "resblock_dilation_sizes", "sampling_rate"),
    *("posterior_encoder_num_wavenet_layers", "spectrogram_bins"),
)


def published_names(name: str) -> list[str]:
    """Return what transformers calls what lies in a tensor of ours, one below the other."""
    for pattern, new in NAMES:
        name = re.sub(pattern, new, name)
    if "key_value" in name:
        return [name.replace("key_value", each) for each in ("k_proj", "v_proj")]
    return [name]


@final
class VitsImporter(Importer):
    """Reads the prior side of VitsModel, which makes the latents that its decoder speaks."""

    def plan(self, published: Published) -> ImportPlan:
        """Return how the published checkpoint becomes one of ours."""
        spec = {**spec_of(published.config), **_frontend(published)}
        leaves = {
            r"decoder\..*": "it makes waves of latents",
            r"posterior_encoder\..*": "it is needed in training alone",
        }
        old = any(name.endswith("weight_g") for name in published.tensors)
        return ImportPlan(spec, lambda name: origin(name, old=old), leaves)


def origin(name: str, *, old: bool = False) -> Origin:
    """Return what a tensor is made of.

    Args:
        name: Ours.
        old: Whether the published names are those of before torch 2.
    """
    names = published_names(name)
    for pattern, new in _OLD if old else ():
        names = [re.sub(pattern, new, each) for each in names]
    if len(names) > 1:
        return Origin(tuple(names), "joined", _joined)
    if ".relative." in name:
        return Origin(tuple(names), "first axis dropped", _without_first)
    if _ONE_STEP.search(name):
        return Origin(tuple(names), "last axis dropped", _without_last)
    return Origin(tuple(names))


def _joined(*tensors: Tensor) -> Tensor:
    return torch.cat(tensors)


def _without_first(tensor: Tensor) -> Tensor:
    return tensor.squeeze(0)


def _without_last(tensor: Tensor) -> Tensor:
    return tensor.squeeze(-1)


def spec_of(config: PublishedSettings) -> dict[str, Any]:
    """Return the spec that published settings describe."""
    _refuse_others(config)
    return {
        "name": "vits-prior",
        "vocab_size": config.get("vocab_size", 38),
        "mel_dim": config.get("flow_size", 192),
        "hidden_dim": config.get("hidden_size", 192),
        "encoder": _encoder(config),
        "duration_predictor": {
            "type": "vits/stochastic",
            "kernel_size": config.get("duration_predictor_kernel_size", 3),
            "num_layers": config.get("depth_separable_num_layers", 3),
            "num_flows": config.get("duration_predictor_num_flows", 4),
            "bins": config.get("duration_predictor_flow_bins", 10),
            "bound": config.get("duration_predictor_tail_bound", 5.0),
            "dropout": config.get("duration_predictor_dropout", 0.5),
        },
        "regulator": {"type": "repeat"},
        "decoder": {
            "type": "vits/coupling_flow",
            "num_flows": config.get("prior_encoder_num_flows", 4),
            "num_layers": config.get("prior_encoder_num_wavenet_layers", 4),
            "kernel_size": config.get("wavenet_kernel_size", 5),
            "dilation": config.get("wavenet_dilation_rate", 1),
            "dropout": config.get("wavenet_dropout", 0.0),
        },
        "generation": {
            "speed": config.get("speaking_rate", 1.0),
            "options": {
                "decoder.temperature": config.get("noise_scale", 0.667),
                "duration_predictor.noise_scale_duration": config.get("noise_scale_duration", 0.8),
            },
        },
    }


def _refuse_others(config: PublishedSettings) -> None:
    """Refuse what our components cannot express, and pass over what changes nothing."""
    config.only("num_speakers", 1, because="the importer places one voice")
    config.only("speaker_embedding_size", 0, because="the importer places one voice")
    config.only("use_stochastic_duration_prediction", True, because="`stochastic` is what it reads")
    config.only("hidden_act", "relu", because="`vits` has no other")
    config.only("use_bias", True, because="the attention of `vits` has biases")
    config.only("layer_norm_eps", 1e-5, because="`vits` has no other")
    config.only("depth_separable_channels", 2, because="`stochastic` bends one channel of two")
    config.pass_over("duration_predictor_filter_channels", because="`stochastic` has the width")
    config.pass_over("layerdrop", because="ours never skips a layer")
    config.pass_over("initializer_range", because="nothing is initialised")
    config.pass_over("pad_token_id", because="what stands at padding is never seen")
    config.pass_over(*_WAVE, because=_NOT_PRIOR)


def _encoder(config: PublishedSettings) -> dict[str, Any]:
    dropout = config.get("hidden_dropout", 0.1)
    for each in ("attention", "activation"):
        config.only(f"{each}_dropout", dropout, because="`vits` has one dropout")
    return {
        "type": "vits/vits",
        "num_layers": config.get("num_hidden_layers", 6),
        "num_heads": config.get("num_attention_heads", 2),
        "window": config.get("window_size", 4),
        "ff_dim": config.get("ffn_dim", 768),
        "kernel_size": config.get("ffn_kernel_size", 3),
        "dropout": dropout,
    }


def _frontend(published: Published) -> dict[str, Any]:
    """Return the frontend: characters, with the first symbol between them where it was so.

    The first symbol is spoken there, so padding has the index of the one for what is unknown,
    which our frontend refuses to read.
    """
    symbols, tokenizer = published.symbols, published.tokenizer
    unknown = tokenizer.get("unk_token", "<unk>")
    if symbols is None or unknown not in symbols:
        return {}
    return {
        "pad_id": symbols.index(unknown),
        "frontend": {
            "type": "symbols",
            "symbols": symbols,
            "split": "characters",
            "lowercase": tokenizer.get("normalize", True),
            "between": symbols[0] if tokenizer.get("add_blank", True) else None,
        },
    }
