"""Texts that are wrong before they have a value: by file name, with the code of the problem."""

from __future__ import annotations

import json

from tests.kokoro_core.spec.hostile.values import RIGHT

HEAD = json.dumps(RIGHT)[:-1]
"""A right spec in JSON, but for its last brace."""

SPEC = HEAD + "}\n"


def with_value(text: str) -> str:
    """Return a spec in JSON whose last value is a text as it stands."""
    return f'{HEAD}, "name": {text}}}\n'


def block(line: str) -> str:
    """Return a spec in YAML with a line more."""
    rows = [f"{key}: {json.dumps(value)}" for key, value in RIGHT.items()]
    return "\n".join([*rows, line, ""])


TEXTS: dict[str, tuple[str | bytes, str]] = {
    # tags
    "tag-python-apply.yaml": (
        block("name: !!python/object/apply:os.system [echo]"),
        "tag",
    ),
    "tag-python-name.yaml": (block("name: !!python/name:os.system ''"), "tag"),
    "tag-python-module.yaml": (block("name: !!python/module:os ''"), "tag"),
    "tag-python-new.yaml": (block("name: !!python/object/new:os.system [x]"), "tag"),
    "tag-binary.yaml": (block("name: !!binary aGk="), "tag"),
    "tag-string.yaml": (block("name: !!str x"), "tag"),
    "tag-set.yaml": (block("plugins: !!set {a}"), "tag"),
    "tag-include.yaml": (block("name: !include /etc/passwd"), "tag"),
    "tag-environment.yaml": (block("name: !ENV ${HOME}"), "tag"),
    "tag-verbatim.yaml": (block("name: !<tag:yaml.org,2002:str> x"), "tag"),
    "tag-bare.yaml": (block("name: ! x"), "tag"),
    "tag-on-key.yaml": (block("!!str name: x"), "tag"),
    "tag-on-document.yaml": ("--- !evil\n" + SPEC, "tag"),
    "tag-in-json.json": (with_value("!!str x"), "tag"),
    "tag-handle-unknown.yaml": (block("name: !e!x y"), "syntax"),
    "tag-long.yaml": (block("name: !" + "x" * 100_000 + " y"), "syntax"),
    # anchors, aliases, merge keys
    "anchor.yaml": (block("name: &a x"), "anchor"),
    "anchor-on-key.yaml": (block("&a name: x"), "anchor"),
    "anchor-on-document.yaml": ("--- &a\n" + SPEC, "anchor"),
    "anchor-long.yaml": (block("name: &" + "a" * 100_000 + " x"), "syntax"),
    "anchors-many.yaml": (block("plugins: [" + "&a x," * 10_000 + "]"), "too-many-problems"),
    "alias.yaml": (block("name: *a"), "alias"),
    "alias-recursive.yaml": ("&a [*a]\n", "alias"),
    "alias-bomb.yaml": (
        block("a: &a [x,x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]"),
        "alias",
    ),
    "alias-as-key.yaml": (block("*a : x"), "bad-key"),
    "merge-key.yaml": (block("<<: {name: x}"), "merge-key"),
    "merge-key-alias.yaml": (block("<<: *a"), "merge-key"),
    "merge-key-nested.yaml": (block("loss: {<<: {stop: 0.0}}"), "merge-key"),
    # keys
    "duplicate-key.yaml": (block("hidden_dim: 32"), "duplicate-key"),
    "duplicate-key.json": (with_value('"x", "name": "y"'), "duplicate-key"),
    "duplicate-key-quoted.yaml": (block('"hidden_dim": 32'), "duplicate-key"),
    "duplicate-key-escaped.json": (with_value('"x", "n\\u0061me": "y"'), "duplicate-key"),
    "duplicate-key-nested.json": (
        with_value('"x", "loss": {"stop": 1.0, "stop": 0.0}'),
        "duplicate-key",
    ),
    "duplicate-keys-many.yaml": (block("name: x\n" * 5_000), "too-many-problems"),
    "key-number.yaml": (block("1: x"), "bad-key"),
    "key-null.yaml": (block("~: x"), "bad-key"),
    "key-true.yaml": (block("true: x"), "bad-key"),
    "key-list.yaml": (block("? [a, b]\n: x"), "bad-key"),
    "key-mapping.yaml": (block("? {a: b}\n: x"), "bad-key"),
    "key-not-finite.yaml": (block(".nan: x"), "unknown-field"),
    "key-without-value.yaml": (block("name"), "syntax"),
    # numbers
    "number-nan.yaml": (block("loss: {stop: .nan}"), "not-finite"),
    "number-inf.yaml": (block("loss: {stop: .inf}"), "not-finite"),
    "number-minus-inf.yaml": (block("loss: {stop: -.INF}"), "not-finite"),
    "number-nan-json.json": (with_value('"x", "loss": {"stop": NaN}'), "wrong-type"),
    "number-infinity-json.json": (with_value('"x", "loss": {"stop": Infinity}'), "wrong-type"),
    "number-1e999.json": (with_value('"x", "loss": {"stop": 1e999}'), "not-finite"),
    "number-minus-1e999.yaml": (block("loss: {stop: -1e999}"), "not-finite"),
    "number-of-5000-digits.json": (with_value("1" * 5_000), "not-finite"),
    "number-of-500000-digits.json": (with_value("1" * 500_000), "not-finite"),
    "number-of-5000-decimals.yaml": (block("loss: {stop: 0." + "1" * 5_000 + "}"), "not-finite"),
    "number-long-hex.yaml": (block("vocab_size: 0x" + "f" * 5_000), "not-finite"),
    "number-long-octal.yaml": (block("vocab_size: 0o" + "7" * 5_000), "not-finite"),
    "number-sexagesimal.yaml": (block("vocab_size: 1:30"), "wrong-type"),
    "number-with-underscores.yaml": (block("vocab_size: 1_000"), "wrong-type"),
    "number-binary.yaml": (block("vocab_size: 0b11"), "wrong-type"),
    # words that YAML 1.1 took for something else
    "norway-no.yaml": (block("gradient_checkpointing: NO"), "wrong-type"),
    "norway-off.yaml": (block("gradient_checkpointing: off"), "wrong-type"),
    "norway-date.yaml": (block("vocab_size: 2001-01-01"), "wrong-type"),
    # documents
    "documents-two.yaml": (SPEC + "---\n" + SPEC, "several-documents"),
    "documents-end.yaml": (SPEC + "...\n---\nname: x\n", "several-documents"),
    "documents-many.yaml": (SPEC + "--- 1\n" * 10_000, "several-documents"),
    "directive-version.yaml": ("%YAML 1.1\n---\n" + SPEC, "directive"),
    "directive-tag.yaml": ("%TAG ! tag:evil,2000:\n---\n" + SPEC, "directive"),
    "directive-unknown.yaml": ("%EXEC os.system\n---\n" + SPEC, "directive"),
    "directives-many.yaml": ("%X a\n" * 10_000 + "---\n" + SPEC, "directive"),
    "empty.yaml": ("", "wrong-type"),
    "empty.json": ("", "wrong-type"),
    "only-a-comment.yaml": ("# nothing\n", "wrong-type"),
    "only-blank-lines.yaml": ("\n" * 100_000, "wrong-type"),
    "only-null.json": ("null", "wrong-type"),
    "only-text.yaml": ("just words\n", "wrong-type"),
    "list-of-specs.json": (f"[{SPEC}]", "wrong-type"),
    "python-source.yaml": ("import os\nos.system('true')\n", "not-a-spec"),
    "xml-entities.yaml": ('<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n', "not-a-spec"),
    "toml.yaml": ("hidden_dim = 16\n[encoder]\n", "not-a-spec"),
    # encoding
    "utf16.yaml": (SPEC.encode("utf-16"), "not-a-spec"),
    "utf16-without-mark.yaml": (SPEC.encode("utf-16-le"), "syntax"),
    "utf32.yaml": (SPEC.encode("utf-32"), "not-a-spec"),
    "latin1.yaml": (block("name: é").encode("latin-1"), "not-utf8"),
    "overlong-slash.yaml": (block("name: ").encode() + b"\xc0\xaf\n", "not-utf8"),
    "surrogate-in-utf8.yaml": (block("name: ").encode() + b"\xed\xa0\x80\n", "not-utf8"),
    "past-unicode.yaml": (block("name: ").encode() + b"\xf4\x90\x80\x80\n", "not-utf8"),
    "cut-character.yaml": (SPEC.encode() + b"\xe2\x82", "not-utf8"),
    "nul-byte.yaml": (block("name: x\x00y"), "syntax"),
    "control-character.yaml": (block("name: x\x07y"), "syntax"),
    "escape-sequence.yaml": (block("name: \x1b[2J"), "syntax"),
    "delete-character.yaml": (block("name: x\x7fy"), "syntax"),
    "two-byte-order-marks.yaml": ("\ufeff\ufeff" + SPEC, "syntax"),
    "surrogate-escaped.json": (with_value('"\\ud800"'), "not-utf8"),
    "surrogates-reversed.json": (with_value('"\\udc00\\ud800"'), "not-utf8"),
    "surrogate-in-key.json": (with_value('"x", "\\ud800": 1'), "not-utf8"),
    "gzip.yaml": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "not-a-spec"),
    "pickle.yaml": (b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os", "not-a-spec"),
    # syntax
    "json-trailing-text.json": (SPEC + "x", "syntax"),
    "json-line-comment.json": (HEAD + "} // comment\n", "syntax"),
    "json-cut.json": (SPEC[: len(SPEC) // 2], "syntax"),
    "json-single-brace.json": ("{", "syntax"),
    "json-bad-escape.json": (with_value('"\\q"'), "syntax"),
    "json-two-commas.json": (with_value('"x",, "format": 1'), "syntax"),
    "quote-not-closed.yaml": (block("name: 'x"), "syntax"),
    "bracket-not-closed.yaml": (block("plugins: {"), "syntax"),
    "tab-indentation.yaml": (block("loss:\n\tstop: 0.0"), "syntax"),
    "colon-in-value.yaml": (block("name: a: b"), "syntax"),
    "backtick.yaml": (block("name: `id`"), "syntax"),
    "at-sign.yaml": (block("name: @x"), "syntax"),
    "percent.yaml": (block("name: %x"), "syntax"),
    "indentation.yaml": (block("loss:\n    stop: 0.0\n  duration: 1.0"), "syntax"),
    # limits
    "deep-lists.json": (with_value("[" * 33 + "]" * 33), "too-deep"),
    "deep-lists-of-100000.json": ("[" * 100_000, "too-deep"),
    "deep-mappings.json": (with_value('{"a":' * 1_000 + "1" + "}" * 1_000), "too-deep"),
    "deep-blocks.yaml": ("".join(f"{' ' * n}a:\n" for n in range(200)), "too-deep"),
    "deep-dashes.yaml": ("- " * 10_000 + "x\n", "too-deep"),
    "deep-question-marks.yaml": ("? " * 10_000 + "x\n", "too-deep"),
    "deep-encoders.json": (
        with_value('"x", "encoder": ' + '{"type": "transformer", "a": ' * 50 + "1" + "}" * 50),
        "too-deep",
    ),
    "values-100001.json": (with_value("[" + "1," * 100_001 + "1]"), "too-many-values"),
    "values-empty-lists.json": (with_value("[" + "[]," * 100_001 + "1]"), "too-many-values"),
    "values-lines.yaml": (block("plugins:\n" + "- 1\n" * 100_001), "too-many-values"),
    "values-keys.yaml": ("k: 1\n" * 100_001, "too-many-values"),
    "size-2-mebibytes.yaml": (block("# " + "x" * 2**21), "too-large"),
    "size-1-byte-too-much.yaml": (SPEC + "#" * (2**20 + 1 - len(SPEC)), "too-large"),
    "size-of-zeros.yaml": (b"\x00" * (2**20 + 1), "too-large"),
}
