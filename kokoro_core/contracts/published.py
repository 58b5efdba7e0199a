"""`PublishedSettings`: the settings of a checkpoint that others published, each accounted for."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any, TypeVar, final

T = TypeVar("T")

_WORDS = """
    _name_or_path architectures dtype model_type torch_dtype transformers_version
    output_attentions output_hidden_states return_dict torchscript use_bfloat16 tf_legacy_loss
    chunk_size_feed_forward finetuning_task id2label label2id problem_type task_specific_params
    tokenizer_class prefix max_length min_length do_sample early_stopping num_beams
    num_beam_groups diversity_penalty temperature top_k top_p typical_p repetition_penalty
    length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids
    num_return_sequences output_scores return_dict_in_generate forced_bos_token_id
    forced_eos_token_id remove_invalid_values exponential_decay_length_penalty suppress_tokens
    begin_suppress_tokens
"""
BOOKKEEPING = frozenset(_WORDS.split())
"""What every configuration of transformers may state, and no acoustic model computes with."""


@final
class PublishedSettings:
    """Settings by name, each of which is taken, held against what is possible, or passed over.

    What is wrong is collected, so that one error names all of it: a setting of another type, one
    with a value that our components cannot express, and one that nobody asked for.

    Args:
        values: The settings.
        place: What stands before their names in errors, such as ``encoder_config.``.
    """

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        self._values = values
        self._place = place
        self._asked = set(BOOKKEEPING)
        self._problems: list[str] = []
        self._inner: list[PublishedSettings] = []
        self.passed_over: dict[str, str] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str, default: T) -> T:
        """Return a setting, which must be of the default's type; absent, it is the default."""
        self._asked.add(key)
        found = self._values.get(key, default)
        if isinstance(default, tuple) and isinstance(found, list):
            found = tuple(found)
        if isinstance(default, float) and type(found) is int:
            found = float(found)
        if type(found) is not type(default):
            self._wrong(key, f"must be a value such as {default!r}")
            return default
        return found

    def only(self, key: str, *values: Any, because: str) -> None:
        """Refuse any value of a setting but these; absent, it is the first of them."""
        self._asked.add(key)
        found = self._values.get(key, values[0])
        if not any(found == each and type(found) is type(each) for each in values):
            self._wrong(key, f"can only be {' or '.join(map(_shown, values))}, since {because}")

    def pass_over(self, *keys: str, because: str) -> None:
        """Leave settings out, whatever they are, for a reason that the import prints."""
        self._asked |= {*keys}
        there = [key for key in keys if key in self._values]
        self.passed_over |= {f"{self._place}{key}": because for key in there}

    def inside(self, key: str) -> PublishedSettings:
        """Return the settings that one of them holds; absent, there are none."""
        values: Any = self.get(key, {})
        inner = PublishedSettings(values, f"{self._place}{key}.")
        self._inner.append(inner)
        inner.passed_over = self.passed_over
        return inner

    def problems(self) -> list[str]:
        """Return what is wrong, a clause each, those of the settings inside included."""
        unknown = [
            f"`{self._place}{key}` is {_shown(value)}, and the importer does not know it"
            for key, value in self._values.items()
            if key not in self._asked
        ]
        return [*self._problems, *unknown, *(each for i in self._inner for each in i.problems())]

    def _wrong(self, key: str, rule: str) -> None:
        value = _shown(self._values.get(key))
        self._problems.append(f"`{self._place}{key}` {rule}, not {value}")


def _shown(value: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    plain = value is None or isinstance(value, bool)
    return words[value] if plain else reprlib.repr(value)
