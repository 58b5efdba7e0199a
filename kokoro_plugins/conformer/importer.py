"""FastSpeech2Conformer of transformers: its settings as a spec, its weights by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, final

from kokoro_core.contracts import Importer, ImportPlan, Origin, Published, PublishedSettings

NAMES: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"^encoder\.embedding\.", "encoder.embed."),
    (r"\.conformer\.layers\.", ".conformer_layers."),
    (r"\.before\.(first|second)\.conv\.", r".feed_forward_macaron.\1."),
    (r"\.after\.(first|second)\.conv\.", r".feed_forward.\1."),
    (r"\.first\.", ".conv1."),
    (r"\.second\.", ".conv2."),
    (r"\.attention\.(query|key|value)\.", lambda found: f".self_attn.linear_{found[1][0]}."),
    (r"\.attention\.out\.", ".self_attn.linear_out."),
    (r"\.attention\.distance\.", ".self_attn.linear_pos."),
    (r"\.attention\.content_bias", ".self_attn.pos_bias_u"),
    (r"\.attention\.distance_bias", ".self_attn.pos_bias_v"),
    (r"\.conv\.gated\.conv\.", ".conv_module.pointwise_conv1."),
    (r"\.conv\.depthwise\.conv\.", ".conv_module.depthwise_conv."),
    (r"\.conv\.pointwise\.conv\.", ".conv_module.pointwise_conv2."),
    (r"\.conv\.norm\.", ".conv_module.norm."),
    (r"\.before_norm\.", ".ff_macaron_layer_norm."),
    (r"\.attention_norm\.", ".self_attn_layer_norm."),
    (r"\.conv_norm\.", ".conv_layer_norm."),
    (r"\.after_norm\.", ".ff_layer_norm."),
    (r"\.last_norm\.", ".final_layer_norm."),
    (r"^decoder\.out\.", "speech_decoder_postnet.feat_out."),
    (r"^postnet\.convs\.(\d+)\.conv\.", r"speech_decoder_postnet.layers.\1.conv."),
    (r"^postnet\.norms\.(\d+)\.", r"speech_decoder_postnet.layers.\1.batch_norm."),
    (r"^token_adaptors\.(\w+)\.predictor\.", r"\1_predictor."),
    (r"^token_adaptors\.(\w+)\.embedding\.", r"\1_embed."),
    (r"_predictor\.convs\.(\d+)\.conv\.", r"_predictor.conv_layers.\1.conv."),
    (r"_predictor\.norms\.(\d+)\.", r"_predictor.conv_layers.\1.layer_norm."),
    (r"_predictor\.out\.", "_predictor.linear."),
)
"""Our names → those of the reference, in this order."""

_NOT_NEEDED = "our table of positions has no end"
_ONLY_TRAINING = "the losses of ours leave padding out in their own way"


def published_name(name: str) -> str:
    """Return what transformers calls a tensor of ours."""
    for pattern, new in NAMES:
        name = re.sub(pattern, new, name)
    return name


@final
class FastSpeech2ConformerImporter(Importer):
    """Reads FastSpeech2ConformerModel, and the model in FastSpeech2ConformerWithHifiGan."""

    def plan(self, published: Published) -> ImportPlan:
        """Return how the published checkpoint becomes one of ours."""
        config, prefix, leaves = published.config, "", {}
        if "model_config" in config:
            config.pass_over("vocoder_config", because="the vocoder is not the acoustic model's")
            config, prefix = config.inside("model_config"), "model."
            leaves = {r"vocoder\..*": "the vocoder is not the acoustic model's"}
        spec = {**spec_of(config), **_frontend(published)}
        return ImportPlan(spec, lambda name: Origin((prefix + published_name(name),)), leaves)


def spec_of(config: PublishedSettings) -> dict[str, Any]:
    """Return the spec that published settings describe."""
    _refuse_others(config)
    return {
        "name": "fastspeech2-conformer",
        "vocab_size": config.get("vocab_size", 78),
        "mel_dim": config.get("num_mel_bins", 80),
        "hidden_dim": config.get("hidden_size", 384),
        "features": {"pitch": {"per": "phoneme", "unit": "log Hz"}, "energy": {"per": "phoneme"}},
        "encoder": {"type": "conformer/conformer", **_layers(config, "encoder")},
        "duration_predictor": {
            "type": "fastspeech/conv",
            **_predictor(config, "duration"),
            "dropout": config.get("duration_predictor_dropout_rate", 0.2),
        },
        "token_adaptors": {
            "energy": _curve(config, "energy", False),
            "pitch": _curve(config, "pitch", True),
        },
        "regulator": {"type": "repeat"},
        "decoder": {"type": "conformer/parallel_conformer", **_layers(config, "decoder")},
        "postnet": {
            "type": "tacotron/conv",
            "num_layers": config.get("speech_decoder_postnet_layers", 5),
            "channels": config.get("speech_decoder_postnet_units", 256),
            "kernel_size": config.get("speech_decoder_postnet_kernel", 5),
            "dropout": config.get("speech_decoder_postnet_dropout", 0.5),
            "bias": False,
        },
        "generation": {"min_frames": 0},
    }


def _refuse_others(config: PublishedSettings) -> None:
    """Refuse what our components cannot express, and pass over what changes nothing."""
    config.only("reduction_factor", 1, because="its decoder makes one frame at a time")
    config.only("speaking_speed", 1.0, because="the speed is chosen in speaking")
    for each in ("use_macaron_style_in_conformer", "use_cnn_in_conformer", "convolution_bias"):
        config.only(each, True, because="`conformer` always has it")
    for side in ("encoder", "decoder"):
        config.only(f"{side}_concat_after", False, because="`conformer` adds and never joins")
    for each in ("num_speakers", "num_languages"):
        config.only(each, None, 1, because="the importer places one voice")
    config.only("speaker_embed_dim", None, 0, because="the importer places one voice")
    config.only("is_encoder_decoder", True, because="all of them say so")
    config.pass_over("max_source_positions", because=_NOT_NEEDED)
    config.pass_over("use_masking", "use_weighted_masking", because=_ONLY_TRAINING)


def _layers(config: PublishedSettings, side: str) -> dict[str, Any]:
    """Return the settings of the encoder or the decoder; a section of its own repeats them."""
    default_kernel = 7 if side == "encoder" else 31
    dropout = config.get(f"{side}_dropout_rate", 0.2)
    for each in ("positional", "attention"):
        why = "`conformer` has one dropout"
        config.only(f"{side}_{each}_dropout_rate", dropout, because=why)
    normalize_before = config.get(f"{side}_normalize_before", False)
    layers = {
        "num_layers": config.get(f"{side}_layers", 4),
        "num_heads": config.get(f"{side}_num_attention_heads", 2),
        "ff_dim": config.get(f"{side}_linear_units", 1536),
        "kernel_size": config.get(f"{side}_kernel_size", default_kernel),
        "dropout": dropout,
    }
    _check_repeated(config.inside(f"{side}_config"), layers, normalize_before)
    return {
        **layers,
        "ff_kernel_size": config.get("positionwise_conv_kernel_size", 3),
        "norm": "pre" if normalize_before else "post",
    }


def _check_repeated(inner: PublishedSettings, layers: dict[str, Any], before: bool) -> None:
    dropout = layers["dropout"]
    repeated = {
        "layers": layers["num_layers"],
        "num_attention_heads": layers["num_heads"],
        "linear_units": layers["ff_dim"],
        "kernel_size": layers["kernel_size"],
        "normalize_before": before,
        "concat_after": False,
        **dict.fromkeys(
            ("dropout_rate", "positional_dropout_rate", "attention_dropout_rate"), dropout
        ),
    }
    for key, value in repeated.items():
        inner.only(key, value, because="the setting outside says so")


def _predictor(config: PublishedSettings, name: str, layers: int = 2, size: int = 3) -> Any:
    return {
        "num_layers": config.get(f"{name}_predictor_layers", layers),
        "channels": config.get(f"{name}_predictor_channels", 256),
        "kernel_size": config.get(f"{name}_predictor_kernel_size", size),
    }


def _curve(config: PublishedSettings, name: str, stopped: bool) -> dict[str, Any]:
    """Return the adaptor of pitch or energy."""
    sizes = (5, 5) if name == "pitch" else (2, 3)
    return {
        "type": "variance/variance",
        "reads": "encoder",
        "stop_gradient": config.get(f"stop_gradient_from_{name}_predictor", stopped),
        **_predictor(config, name, *sizes),
        "dropout": config.get(f"{name}_predictor_dropout", 0.5),
        "embedding_kernel_size": config.get(f"{name}_embed_kernel_size", 1),
        "embedding_dropout": config.get(f"{name}_embed_dropout", 0.0),
    }


def _frontend(published: Published) -> dict[str, Any]:
    """Return the frontend: phonemes with blanks between them, as the folder's table has them."""
    if published.symbols is None:
        return {}
    end = published.tokenizer.get("eos_token", "<sos/eos>")
    return {"frontend": {"type": "symbols", "symbols": published.symbols, "end": end}}
