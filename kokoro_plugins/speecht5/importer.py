"""SpeechT5ForTextToSpeech of transformers: its settings as a spec, its weights by name."""

from __future__ import annotations

import re
from typing import Any, final

import torch
from torch import Tensor

from kokoro_core.contracts import Importer, ImportPlan, Origin, Published, PublishedSettings

NAMES: tuple[tuple[str, str], ...] = (
    (r"^encoder\.embedding\.", "speecht5.encoder.prenet.embed_tokens."),
    (r"^(encoder)\..*absolute\.scale", r"speecht5.\1.prenet.encode_positions.alpha"),
    (r"^(decoder)\..*encoding\.scale", r"speecht5.\1.prenet.encode_positions.alpha"),
    (r"^encoder\..*\.table\.", "speecht5.encoder.wrapped_encoder.embed_positions.pe_k."),
    (r"^encoder\.norm\.", "speecht5.encoder.wrapped_encoder.layer_norm."),
    (r"^decoder\.prenet\.", "speecht5.decoder.prenet."),
    (r"^decoder\.prenet_out\.", "speecht5.decoder.prenet.final_layer."),
    (r"^decoder\.speaker_in\.", "speecht5.decoder.prenet.speaker_embeds_layer."),
    (r"^decoder\.mel_out\.", "speech_decoder_postnet.feat_out."),
    (r"^decoder\.stop_out\.", "speech_decoder_postnet.prob_out."),
    (r"^postnet\.convs\.(\d+)\.", r"speech_decoder_postnet.layers.\1."),
    (r"^postnet\.norms\.(\d+)\.", r"speech_decoder_postnet.layers.\1.batch_norm."),
    (r"^(encoder|decoder)\.layers\.", r"speecht5.\1.wrapped_\1.layers."),
    (r"(wrapped_encoder.*)\.self_attention\.", r"\1.attention."),
    (r"(wrapped_encoder.*)\.attention_norm\.", r"\1.layer_norm."),
    (r"\.self_attention\.", ".self_attn."),
    (r"\.attention_norm\.", ".self_attn_layer_norm."),
    (r"\.cross_attention\.", ".encoder_attn."),
    (r"\.cross_norm\.", ".encoder_attn_layer_norm."),
    (r"\.feed_forward\.inner\.", ".feed_forward.intermediate_dense."),
    (r"\.feed_forward\.outer\.", ".feed_forward.output_dense."),
    (r"\.feed_forward_norm\.", ".final_layer_norm."),
    (r"\.query\.", ".q_proj."),
    (r"\.out\.", ".out_proj."),
)
"""Our names → those of the reference, in this order."""

AUDIO = {
    **{"sample_rate": 16000, "fmin": 80.0, "fmax": 7600.0, "log": "log10", "floor": 1e-10},
    **{"padding": "center", "mean": 0.0, "std": 1.0},
}
"""The mels of the reference's feature extractor, where it says nothing else."""

_RECORDINGS = "it is of the encoder of recordings, which text to speech has not"
_CONV = ("conv_bias", "conv_dim", "conv_kernel", "conv_stride")
_POSITIONS = ("num_conv_pos_embeddings", "num_conv_pos_embedding_groups")
_EXTRACTOR = ("feat_extract_activation", "feat_extract_norm", "feat_proj_dropout")
_MASKS = tuple(
    f"mask_{over}_{each}"
    for over in ("time", "feature")
    for each in ("prob", "length", "min_masks")
)
_TOKENS = ("bos_token_id", "decoder_start_token_id", "eos_token_id")


def published_names(name: str) -> list[str]:
    """Return what transformers calls what lies in a tensor of ours, one below the other."""
    for pattern, new in NAMES:
        name = re.sub(pattern, new, name)
    if ".key_value." in name:
        return [name.replace(".key_value.", f".{each}_proj.") for each in "kv"]
    return [name]


@final
class SpeechT5Importer(Importer):
    """Reads SpeechT5ForTextToSpeech."""

    def plan(self, published: Published) -> ImportPlan:
        """Return how the published checkpoint becomes one of ours."""
        return ImportPlan(spec_of(published.config), origin)


def origin(name: str) -> Origin:
    """Return what a tensor is made of: keys and values are one layer of ours, two of theirs."""
    names = tuple(published_names(name))
    return Origin(names) if len(names) == 1 else Origin(names, "joined", _joined)


def _joined(*tensors: Tensor) -> Tensor:
    return torch.cat(tensors)


def spec_of(config: PublishedSettings) -> dict[str, Any]:
    """Return the spec that published settings describe."""
    _refuse_others(config)
    mel_dim = config.get("num_mel_bins", 80)
    spec: dict[str, Any] = {
        "name": "speecht5",
        "vocab_size": config.get("vocab_size", 81),
        "pad_id": config.get("pad_token_id", 1),
        "mel_dim": mel_dim,
        "hidden_dim": config.get("hidden_size", 768),
        "encoder": _encoder(config),
        "duration_predictor": None,
        "regulator": None,
        "decoder": _decoder(config),
        "postnet": {
            "type": "tacotron/conv",
            "num_layers": config.get("speech_decoder_postnet_layers", 5),
            "channels": config.get("speech_decoder_postnet_units", 256),
            "kernel_size": config.get("speech_decoder_postnet_kernel", 5),
            "dropout": config.get("speech_decoder_postnet_dropout", 0.5),
            "bias": False,
        },
        "loss": {"stop_positive_weight": 5.0},
        "audio": {**AUDIO, "n_mels": mel_dim},
    }
    scale = config.get("guided_attention_loss_scale", 10.0)
    if spec["decoder"]["guided_heads"]:
        spec["loss"]["decoder.guided_attention"] = scale
    return spec


def _refuse_others(config: PublishedSettings) -> None:
    """Refuse what our components cannot express, and pass over what changes nothing."""
    config.only("hidden_act", "gelu", because="`speecht5` has no other")
    config.only("layer_norm_eps", 1e-5, because="`speecht5` has no other")
    config.only("speech_decoder_prenet_layers", 2, because="`speecht5` has two")
    config.only("scale_embedding", False, because="`speecht5` never scales")
    config.only("is_encoder_decoder", True, because="all of them say so")
    why = "the reference keeps with this probability what `speecht5` drops with it"
    config.only("speech_decoder_prenet_dropout", 0.5, because=why)
    config.pass_over("encoder_layerdrop", "decoder_layerdrop", because="ours never skips a layer")
    config.pass_over("initializer_range", because="nothing is initialised")
    config.pass_over("use_cache", because="a decoder of ours always has one")
    config.pass_over("tie_word_embeddings", because="there is one table of phonemes")
    config.pass_over(*_TOKENS, because="a frontend puts them into the phonemes")
    recordings = (*_CONV, *_POSITIONS, *_EXTRACTOR, *_MASKS, "apply_spec_augment")
    config.pass_over(*recordings, "num_feat_extract_layers", because=_RECORDINGS)


def _stack(config: PublishedSettings, side: str, layers: int) -> dict[str, Any]:
    dropout = config.get("hidden_dropout", 0.1)
    for each in ("positional", "attention", "activation"):
        config.only(f"{each}_dropout", dropout, because="`speecht5` has one dropout")
    return {
        "type": "speecht5/speecht5",
        "num_layers": config.get(f"{side}_layers", layers),
        "num_heads": config.get(f"{side}_attention_heads", 12),
        "ff_dim": config.get(f"{side}_ffn_dim", 3072),
        "dropout": dropout,
    }


def _positions(max_len: int) -> dict[str, Any]:
    return {"type": "transformer/sinusoidal", "max_len": max_len, "learned_scale": True}


def _encoder(config: PublishedSettings) -> dict[str, Any]:
    return {
        **_stack(config, "encoder", 12),
        "positional_encoding": {
            "type": "positions/relative_keys",
            "max_distance": config.get("encoder_max_relative_position", 160),
            "absolute": _positions(config.get("max_text_positions", 450)),
        },
    }


def _decoder(config: PublishedSettings) -> dict[str, Any]:
    guided = config.get("use_guided_attention_loss", True)
    heads = config.get("guided_attention_loss_num_heads", 2)
    return {
        **_stack(config, "decoder", 6),
        "prenet_dim": config.get("speech_decoder_prenet_units", 256),
        "speaker_dim": config.get("speaker_embedding_dim", 512),
        "reduction_factor": config.get("reduction_factor", 2),
        "guided_heads": heads if guided else 0,
        "guided_sigma": config.get("guided_attention_loss_sigma", 0.4),
        "positional_encoding": _positions(config.get("max_speech_positions", 4000)),
    }
