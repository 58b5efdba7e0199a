"""Specs that are wrong in their values: each is written as YAML and as JSON."""

from __future__ import annotations

import json
from typing import Any

RIGHT: dict[str, Any] = {
    "format": 1,
    "hidden_dim": 16,
    "encoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
    "duration_predictor": {"type": "mlp"},
    "regulator": {"type": "repeat"},
    "decoder": {"type": "transformer", "num_layers": 1, "num_heads": 2, "ff_dim": 16},
}
MISSING = object()


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the right spec with values at dotted paths changed, or left out."""
    tree: dict[str, Any] = json.loads(json.dumps(RIGHT))
    for path, value in changes.items():
        *outer, last = path.split(".")
        node = tree
        for key in outer:
            node = node[key]
        if value is MISSING:
            del node[last]
        else:
            node[last] = value
    return tree


NESTED_ENCODING = {"type": "sinusoidal", "max_len": {"type": "sinusoidal"}}

VALUES: dict[str, tuple[dict[str, Any], str]] = {
    # names that are to lead out of the registry
    "type-import-path": ({"encoder.type": "torch.nn.Linear"}, "unknown-type"),
    "type-os-system": ({"encoder.type": "os.system"}, "unknown-type"),
    "type-path-upwards": ({"encoder.type": "../../transformer"}, "unknown-type"),
    "type-absolute-path": ({"encoder.type": "/etc/passwd"}, "unknown-type"),
    "type-url": ({"encoder.type": "https://example.com/encoder.py"}, "unknown-type"),
    "type-empty": ({"encoder.type": ""}, "unknown-type"),
    "type-space": ({"encoder.type": " transformer"}, "unknown-type"),
    "type-newline": ({"encoder.type": "transformer\n"}, "unknown-type"),
    "type-nul": ({"encoder.type": "transformer\x00"}, "unknown-type"),
    "type-upper-case": ({"encoder.type": "Transformer"}, "unknown-type"),
    "type-full-width": ({"encoder.type": "\uff54ransformer"}, "unknown-type"),
    "type-cyrillic-lookalike": ({"encoder.type": "trаnsformer"}, "unknown-type"),
    "type-zero-width": ({"encoder.type": "trans\u200bformer"}, "unknown-type"),
    "type-right-to-left": ({"encoder.type": "\u202etransformer"}, "unknown-type"),
    "type-null": ({"encoder.type": None}, "unknown-type"),
    "type-number": ({"encoder.type": 1}, "unknown-type"),
    "type-true": ({"encoder.type": True}, "unknown-type"),
    "type-list": ({"encoder.type": ["transformer"]}, "unknown-type"),
    "type-mapping": ({"encoder.type": {"type": "transformer"}}, "unknown-type"),
    "type-megabyte": ({"encoder.type": "t" * 500_000}, "unknown-type"),
    "type-of-other-slot": ({"encoder.type": "mlp"}, "unknown-type"),
    "type-slot-base": ({"encoder.type": "EncoderParams"}, "unknown-type"),
    "type-params-class": ({"encoder.type": "TransformerEncoderParams"}, "unknown-type"),
    "type-dunder-class": ({"encoder.type": "__class__"}, "unknown-type"),
    "type-other-plugin": ({"encoder.type": "tacotron/transformer"}, "unknown-type"),
    "type-distribution": ({"encoder.type": "kokoro-core/transformer"}, "unknown-type"),
    "type-two-slashes": ({"encoder.type": "transformer/transformer/x"}, "unknown-type"),
    "type-empty-plugin": ({"encoder.type": "/transformer"}, "unknown-type"),
    "type-colon": ({"encoder.type": "kokoro_core:os"}, "unknown-type"),
    "type-missing": ({"encoder.type": MISSING}, "no-type"),
    "nested-type-unknown": (
        {"encoder.positional_encoding": {"type": "pickle.loads"}},
        "unknown-type",
    ),
    "frontend-type-shell": ({"frontend": {"type": "sh -c true"}}, "unknown-type"),
    "vocoder-type-file": ({"vocoder": {"type": "vocoder.pt"}}, "unknown-type"),
    "corpus-in-a-slot": ({"frontend": {"type": "folder"}}, "unknown-type"),
    # keys that mean something elsewhere
    "key-target": ({"_target_": "os.system"}, "unknown-field"),
    "key-target-nested": ({"encoder._target_": "os.system"}, "unknown-field"),
    "key-class-path": ({"encoder.class_path": "torch.nn.Linear"}, "unknown-field"),
    "key-init-args": ({"encoder.init_args": {}}, "unknown-field"),
    "key-auto-map": ({"auto_map": {"AutoModel": "x--y.Z"}}, "unknown-field"),
    "key-trust-remote-code": ({"trust_remote_code": True}, "unknown-field"),
    "key-component": ({"_component_": "os.system"}, "unknown-field"),
    "key-include": ({"include": "/etc/passwd"}, "unknown-field"),
    "key-base": ({"_base_": "other.yaml"}, "unknown-field"),
    "key-ref": ({"$ref": "file:///etc/passwd"}, "unknown-field"),
    "key-defaults": ({"defaults": ["override"]}, "unknown-field"),
    "key-dunder-class": ({"__class__": "X"}, "unknown-field"),
    "key-dunder-init": ({"encoder.__init__": []}, "unknown-field"),
    "key-dunder-dict": ({"encoder.__dict__": {}}, "unknown-field"),
    "key-model-config": ({"model_config": {"extra": "allow"}}, "unknown-field"),
    "key-model-config-nested": ({"encoder.model_config": {"extra": "allow"}}, "unknown-field"),
    "key-fields-set": ({"encoder.__pydantic_fields_set__": []}, "unknown-field"),
    "key-component-name": ({"encoder.component_name": "x"}, "unknown-field"),
    "key-slot": ({"encoder.slot": "decoder"}, "unknown-field"),
    "key-takes": ({"decoder.takes": {}}, "unknown-field"),
    "key-parallel": ({"decoder.parallel": True}, "unknown-field"),
    "key-needs": ({"decoder.needs": ["plan"]}, "unknown-field"),
    "key-build": ({"encoder.build": "os.system"}, "unknown-field"),
    "key-empty": ({"": 1}, "unknown-field"),
    "key-dotted": ({"loss": {"stop.x": 1}}, "unknown-field"),
    "key-upper-case": ({"Hidden_Dim": 16}, "unknown-field"),
    "key-hyphen": ({"hidden-dim": 16}, "unknown-field"),
    "key-nfd": ({"e\u0301ncoder": 1}, "unknown-field"),
    "key-nul": ({"hidden_dim\x00": 1}, "unknown-field"),
    "key-long": ({"k" * 1000: 1}, "unknown-field"),
    "key-of-old-seed": ({"n_encoder_layers": 6}, "unknown-field"),
    "key-audio-unknown": ({"audio": {"n_mel": 80}}, "unknown-field"),
    "key-plugins-path": ({"plugin_path": "/tmp"}, "unknown-field"),
    # expressions that nobody evaluates
    "expression-interpolation": ({"hidden_dim": "${oc.env:HOME}"}, "wrong-type"),
    "expression-jinja": ({"hidden_dim": "{{ 7 * 7 }}"}, "wrong-type"),
    "expression-python": ({"hidden_dim": "__import__('os').getpid()"}, "wrong-type"),
    "expression-arithmetic": ({"hidden_dim": "4 * 4"}, "wrong-type"),
    "expression-environment": ({"hidden_dim": "$HOME"}, "wrong-type"),
    # types that look alike
    "int-as-text": ({"hidden_dim": "16"}, "wrong-type"),
    "int-as-float": ({"hidden_dim": 16.0}, "wrong-type"),
    "int-as-exponent": ({"hidden_dim": 1e3}, "wrong-type"),
    "int-as-bool": ({"hidden_dim": True}, "wrong-type"),
    "int-as-null": ({"hidden_dim": None}, "wrong-type"),
    "int-as-list": ({"hidden_dim": [16]}, "wrong-type"),
    "int-as-mapping": ({"hidden_dim": {"value": 16}}, "wrong-type"),
    "int-with-underscores": ({"hidden_dim": "1_6"}, "wrong-type"),
    "int-arabic-digits": ({"hidden_dim": "١٦"}, "wrong-type"),
    "float-as-text": ({"encoder.dropout": "0.1"}, "wrong-type"),
    "float-as-bool": ({"encoder.dropout": False}, "wrong-type"),
    "float-as-nan-text": ({"encoder.dropout": "nan"}, "wrong-type"),
    "bool-as-text": ({"decoder.add_memory": "true"}, "wrong-type"),
    "bool-as-yes": ({"decoder.add_memory": "yes"}, "wrong-type"),
    "bool-as-int": ({"decoder.add_memory": 1}, "wrong-type"),
    "text-as-int": ({"name": 1}, "wrong-type"),
    "text-as-null": ({"name": None}, "wrong-type"),
    "text-as-list": ({"name": ["x"]}, "wrong-type"),
    "component-as-text": ({"encoder": "transformer"}, "not-a-component"),
    "component-as-list": ({"encoder": [{"type": "transformer"}]}, "not-a-component"),
    "component-as-null": ({"encoder": None}, "not-a-component"),
    "component-as-number": ({"decoder": 1}, "not-a-component"),
    "component-as-true": ({"regulator": True}, "not-a-component"),
    "component-in-a-number": ({"encoder.positional_encoding": NESTED_ENCODING}, "wrong-type"),
    "settings-as-list": ({"loss": [1]}, "wrong-type"),
    "settings-as-number": ({"gradient_checkpointing": 4}, "wrong-type"),
    "plugins-as-list": ({"plugins": ["acme"]}, "wrong-type"),
    "plugins-as-number": ({"plugins": {"acme": 1}}, "wrong-type"),
    "plugins-null-version": ({"plugins": {"acme": None}}, "wrong-type"),
    # ranges
    "width-zero": ({"hidden_dim": 0}, "out-of-range"),
    "width-negative": ({"hidden_dim": -16}, "out-of-range"),
    "width-least-int": ({"hidden_dim": -(2**63)}, "out-of-range"),
    "layers-zero": ({"encoder.num_layers": 0}, "out-of-range"),
    "layers-negative": ({"encoder.num_layers": -1}, "out-of-range"),
    "heads-zero": ({"encoder.num_heads": 0}, "out-of-range"),
    "dropout-one": ({"encoder.dropout": 1.0}, "out-of-range"),
    "dropout-negative": ({"encoder.dropout": -0.1}, "out-of-range"),
    "dropout-huge": ({"encoder.dropout": 1e308}, "out-of-range"),
    "vocabulary-of-one": ({"vocab_size": 1}, "out-of-range"),
    "pad-negative": ({"pad_id": -1}, "out-of-range"),
    "pad-past-the-vocabulary": ({"pad_id": 63}, "out-of-range"),
    "segments-zero": ({"gradient_checkpointing": {"segments": 0}}, "out-of-range"),
    "loss-negative": ({"loss": {"stop": -1.0}}, "out-of-range"),
    "loss-weight-zero": ({"loss": {"stop_positive_weight": 0.0}}, "out-of-range"),
    "name-empty": ({"name": ""}, "out-of-range"),
    "std-zero": ({"audio": {"std": 0.0}}, "out-of-range"),
    "place-zero": ({"decoder.place": {"size": 0}}, "out-of-range"),
    "positions-zero": (
        {"encoder.positional_encoding": {"type": "learned", "max_len": 0}},
        "out-of-range",
    ),
    "rotary-base-one": (
        {"encoder.positional_encoding": {"type": "rotary", "base": 1.0}},
        "out-of-range",
    ),
    "format-zero": ({"format": 0}, "old-spec"),
    "format-text": ({"format": "1"}, "wrong-type"),
    "format-list": ({"format": [1]}, "wrong-type"),
    "norm-unknown": ({"encoder.norm": "both"}, "wrong-value"),
    "norm-null": ({"encoder.norm": None}, "wrong-value"),
    "version-range-broken": ({"plugins": {"acme": "latest"}}, "wrong-value"),
    "version-range-shell": ({"plugins": {"acme": "; rm -rf ~"}}, "wrong-value"),
    "plugin-not-there": ({"plugins": {"acme-that-nobody-has": ">=1"}}, "plugin-missing"),
    "plugin-name-path": ({"plugins": {"../../etc": ">=1"}}, "wrong-value"),
    "plugin-of-the-future": ({"plugins": {"kokoro-core": ">=999"}}, "plugin-version"),
    "kernel-even": (
        {"duration_predictor": {"type": "conv", "kernel_size": 4}},
        "inconsistent",
    ),
    "fmin-above-fmax": ({"audio": {"fmin": 9000.0}}, "inconsistent"),
    # what is missing
    "encoder-missing": ({"encoder": MISSING}, "missing"),
    "decoder-missing": ({"decoder": MISSING}, "missing"),
    "regulator-missing": ({"regulator": MISSING}, "missing"),
    # parts that do not fit
    "heads-do-not-divide": ({"encoder.num_heads": 3}, "inconsistent"),
    "heads-more-than-width": ({"encoder.num_heads": 32}, "inconsistent"),
    "rotary-odd-heads": (
        {"encoder.num_heads": 16, "encoder.positional_encoding": {"type": "rotary"}},
        "inconsistent",
    ),
    "width-of-encoder": ({"encoder.hidden_dim": 8}, "width-mismatch"),
    "width-of-decoder": ({"decoder.hidden_dim": 32}, "width-mismatch"),
    "mel-of-audio": ({"mel_dim": 40, "audio": {}}, "width-mismatch"),
    "half-regulated": ({"regulator": None}, "half-regulated"),
    "half-predicted": ({"duration_predictor": None}, "half-regulated"),
    "memory-without-regulator": (
        {"duration_predictor": None, "regulator": None},
        "unmet-need",
    ),
    "stop-of-parallel": (
        {"decoder.type": "parallel_transformer", "loss": {"stop": 5.0}},
        "no-stop-head",
    ),
    # sizes
    "size-width-squared": ({"hidden_dim": 2**40, "encoder.num_heads": 2}, "too-many-parameters"),
    "size-vocabulary-2-63": ({"vocab_size": 2**63}, "too-many-parameters"),
    "size-vocabulary-10-39": ({"vocab_size": 10**39}, "too-many-parameters"),
    "size-feed-forward": ({"decoder.ff_dim": 10**12}, "too-many-parameters"),
    "size-mel": ({"mel_dim": 10**12}, "too-many-parameters"),
    "size-place": ({"decoder.place": {"size": 10**12}}, "too-many-parameters"),
    "size-kernel": (
        {"postnet": {"type": "conv", "kernel_size": 10**13 + 1}},
        "too-many-parameters",
    ),
    "size-learned-positions": (
        {"encoder.positional_encoding": {"type": "learned", "max_len": 10**18}},
        "too-many-parameters",
    ),
    "size-table": (
        {"encoder.positional_encoding": {"type": "sinusoidal", "max_len": 10**10}},
        "too-many-bytes",
    ),
    "size-layers": ({"encoder.num_layers": 10**6}, "too-many-layers"),
    "size-layers-10-30": ({"decoder.num_layers": 10**30}, "too-many-layers"),
    "size-convolutions": (
        {"postnet": {"type": "conv", "channels": 1, "num_layers": 10**6}},
        "too-many-layers",
    ),
    "size-list-of-settings": ({"encoder.num_layers": [1] * 5_000}, "wrong-type"),
    "many-unknown-keys": ({f"key_{index}": index for index in range(500)}, "too-many-problems"),
}
"""By name, what is changed in the right spec, and the code of the problem that it makes."""
