"""`KokoroModel`: the public class, a thin facade over assembly, generation and checkpoints."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Self, final

import torch
from torch import Tensor, nn

from kokoro_core import generation
from kokoro_core.checkpoints import store as checkpoint
from kokoro_core.checkpoints.adapt import Adapt, Adaptation
from kokoro_core.contracts import NeuralVocoder
from kokoro_core.cost.info import ModelInfo, model_info
from kokoro_core.generation import (
    DecoderCopies,
    Generation,
    GenerationRequest,
    defaults_of,
    with_arguments_of,
)
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.features import read_features
from kokoro_core.model.inputs import (
    check_devices,
    check_dtypes,
    check_given,
    checked_batch,
    refuse_beside_batch,
    training_batch,
)
from kokoro_core.model.losses import training_losses, weigh
from kokoro_core.model.output import ModelOutput
from kokoro_core.notebook.models import model_html
from kokoro_core.spec.arguments import check_count, path_of, plugins_of
from kokoro_core.spec.legacy_keywords import legacy_ends, legacy_settings
from kokoro_core.spec.load import Source, load_spec
from kokoro_core.spec.rules.names import checked_options
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import resolve
from kokoro_core.tensors.compiled import original
from kokoro_core.tensors.noise import RowNoise, row_noise
from registry import Plugins, installed_plugins

if TYPE_CHECKING:
    from kokoro_core.checkpoints.hub import HubModel
    from kokoro_core.checkpoints.vocoder_file import SavedVocoder


@final
class KokoroModel(nn.Module):
    """A text-to-speech acoustic model: trains, generates, saves and loads.

    The keywords are the original model's; they are settings of the named spec ``default``. With
    another number of phonemes it has no frontend, with another number of mel channels no audio
    settings and no vocoder. Any other model is built by `from_spec`.

    Args:
        vocab_size: Number of phoneme indices, padding included.
        mel_dim: Mel channels.
        hidden_dim: Width.
        n_encoder_layers: Layers of the encoder.
        n_decoder_layers: Layers of the decoder.
        n_heads: Attention heads of both.
        encoder_ff_dim: Width of the encoder's feed-forward blocks.
        decoder_ff_dim: Width of the decoder's.
        dropout: Dropout of encoder, decoder and duration predictor.
        max_len: Longest sequence of phonemes or frames.
        gradient_checkpointing: Recompute each stack in segments in training, to save memory.
        checkpoint_segments: Number of segments.

    Attributes:
        spec: The spec with every width filled in.
        acoustic: The parts.
        vocoder: With the weights that the checkpoint has for it, in evaluation mode and without
            gradients; None: the spec's vocoder has none, or none yet.
        adaptation: What happened to each tensor, if the model was adapted from a checkpoint.
    """

    def __init__(
        self,
        vocab_size: int = 63,
        mel_dim: int = 80,
        hidden_dim: int = 512,
        n_encoder_layers: int = 6,
        n_decoder_layers: int = 6,
        n_heads: int = 8,
        encoder_ff_dim: int = 2048,
        decoder_ff_dim: int = 2048,
        *,
        dropout: float = 0.1,
        max_len: int = 5000,
        gradient_checkpointing: bool = True,
        checkpoint_segments: int = 4,
    ) -> None:
        super().__init__()
        plugins = installed_plugins()
        settings = legacy_settings(
            hidden_dim=hidden_dim,
            layers={"encoder": n_encoder_layers, "decoder": n_decoder_layers},
            ff_dims={"encoder": encoder_ff_dim, "decoder": decoder_ff_dim},
            num_heads=n_heads,
            dropout=dropout,
            max_len=max_len,
            segments=checkpoint_segments if gradient_checkpointing else None,
        )
        ends = legacy_ends(load_spec("default", plugins=plugins), vocab_size, mel_dim)
        spec = load_spec("default", overrides={**settings, **ends}, plugins=plugins)
        self._adopt(spec, assemble(spec), plugins)

    def _adopt(self, spec: ModelSpec, acoustic: AcousticModel, plugins: Plugins) -> None:
        self.spec = spec
        self.acoustic = acoustic
        self.vocoder: NeuralVocoder | None = None
        self.plugins = plugins
        self.adaptation: Adaptation | None = None
        self._copies = DecoderCopies()

    @classmethod
    def from_spec(
        cls,
        source: Source,
        *,
        overrides: Mapping[str, Any] | None = None,
        plugins: Plugins | None = None,
    ) -> Self:
        """Build the model of a spec with fresh weights.

        Args:
            source: A named spec, a path, a mapping or a `ModelSpec`.
            overrides: Dotted paths with new values, for example ``{"encoder.num_layers": 4}``.
            plugins: Where components come from; None: the installed plugins.

        Raises:
            SpecError: The spec has problems; the error lists all of them.
        """
        plugins = plugins_of(plugins)
        spec = load_spec(source, overrides=overrides, plugins=plugins)
        return cls._of(spec, assemble(spec), plugins)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        device: str = "cpu",
        plugins: Plugins | None = None,
        verify: bool = True,
        adapt: Adapt | None = None,
        widen: bool = False,
    ) -> Self:
        """Rebuild a model from a checkpoint alone, in eval mode.

        Args:
            path: A file, the index of several, a step directory, a folder with one of them (of a
                run's folder of steps, the newest intact one is loaded), or the name of a voice.
            device: Where the model goes.
            plugins: Where components come from; None: the installed plugins.
            verify: Compare the content with its hash; False is faster and does not detect bit rot.
            adapt: Build a different model and load what fits; None: the checkpoint's own model.
            widen: Turn 16-bit weights into float32, in which most processors are faster; False: the
                model has the type in which it is stored, its computed tables too.

        Raises:
            CheckpointError: The file is missing, damaged or not a checkpoint, or does not match its
                own spec; the error lists every tensor that differs.
            TypeError: An argument has the wrong type.
            ValueError: The device is invalid or not available.
            SpecError: The spec inside needs components that are not installed.
        """
        plugins = plugins_of(plugins)
        found = checkpoint.load(
            path_of("path", path), plugins, device, verify=verify, adapt=adapt, widen=widen
        )
        model = cls._of(found.spec, found.acoustic, plugins).eval()
        model.vocoder, model.adaptation = found.vocoder, found.adaptation
        return model

    def load_weights(self, path: str | os.PathLike[str], *, verify: bool = True) -> None:
        """Load all weights, or none, from a checkpoint of the same model, with its vocoder's.

        Args:
            path: As in `load`.
            verify: As in `load`.

        Raises:
            CheckpointError: The file is missing, damaged, not a checkpoint, or of another model;
                the model is then unchanged.
        """
        place = path_of("path", path)
        self.vocoder = checkpoint.load_weights(
            place, self.acoustic, self.spec, self.plugins, vocoder=self.vocoder, verify=verify
        )

    def attach_vocoder(self, saved: SavedVocoder) -> None:
        """Give the model a vocoder with weights, which the spec names from now on.

        Args:
            saved: As `kokoro_core.checkpoints.vocoder_file.load_vocoder` returns it.

        Raises:
            AudioMismatch: The model makes other mels than it was made for.
            SpecError: The model can have no vocoder.
        """
        self.spec = saved.attached_to(self.spec, self.plugins)
        self.vocoder = saved.vocoder.to(next(self.acoustic.parameters()).device)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the acoustic model; a vocoder stays in evaluation mode."""
        super().train(mode)
        if self.vocoder is not None:
            self.vocoder.eval()
        return self

    @classmethod
    def _of(cls, spec: ModelSpec, acoustic: AcousticModel, plugins: Plugins) -> Self:
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model._adopt(spec, acoustic, plugins)
        return model

    def save(self, path: str | os.PathLike[str], *, max_shard_bytes: int | None = None) -> None:
        """Write the weights, a vocoder's as well, and the spec that rebuilds the model, atomically.

        Args:
            path: A file with a suffix that a checkpointer handles, such as ``.safetensors``.
            max_shard_bytes: Larger weights are split over several files next to the path, with an
                index; None: one file.

        Raises:
            CheckpointError: It could not be loaded, as `check_savable` finds or because a weight is
                not finite; or writing fails.
        """
        place = path_of("path", path)
        if max_shard_bytes is not None:
            check_count("max_shard_bytes", max_shard_bytes)
        checkpoint.save(
            place,
            self.acoustic,
            self.spec,
            self.plugins,
            vocoder=self.vocoder,
            max_shard_bytes=max_shard_bytes,
        )

    def check_savable(self, path: str | os.PathLike[str] = "model.safetensors") -> None:
        """Reject a model that could not be saved or loaded again, without writing anything.

        It compares classes of modules and names, types and shapes of tensors, and takes some
        hundredths of a second. Parts wrapped by `torch.compile` are saved as the modules in them.

        Args:
            path: Where it would be saved; the suffix determines what can be stored.

        Raises:
            CheckpointError: The model is not the one that its spec describes, the spec cannot be
                parsed again, or the checkpointer cannot store the tensors as they are.
        """
        place = path_of("path", path)
        checkpoint.check_savable(
            place, self.acoustic, self.spec, self.plugins, vocoder=self.vocoder
        )

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        *,
        device: str = "cpu",
        plugins: Plugins | None = None,
        verify: bool = True,
        adapt: Adapt | None = None,
        **download: Any,
    ) -> Self:
        """Load a model from a folder, or from the Hugging Face Hub (extra ``kokoro-core[hub]``).

        Args:
            name: A folder that `save_pretrained` wrote, or a repository such as ``someone/voice``.
            device: As in `load`.
            plugins: As in `load`.
            verify: As in `load`.
            adapt: As in `load`.
            **download: ``revision``, ``token``, ``cache_dir``, ``force_download`` and
                ``local_files_only`` of `huggingface_hub`.

        Raises:
            CheckpointError: As in `load`.
            FileNotFoundError: The name looks like a path, and there is no such folder.
        """
        from kokoro_core.checkpoints.hub import HubModel, refuse_path

        text = os.fspath(name) if isinstance(name, str) else str(path_of("name", name))
        refuse_path(text)
        load = partial(cls.load, device=device, plugins=plugins, verify=verify, adapt=adapt)
        model: Self = HubModel.from_pretrained(text, load=load, **download).model
        return model

    def save_pretrained(
        self, folder: str | os.PathLike[str], *, max_shard_bytes: int | None = None, **options: Any
    ) -> str | None:
        """Write the model, its spec as ``config.json`` and a card to a folder.

        Args:
            folder: Created if missing.
            max_shard_bytes: Larger weights are split; None: 5 GB, as the Hub requires.
            **options: Those of `huggingface_hub.ModelHubMixin.save_pretrained`.

        Raises:
            CheckpointError: As in `save`.
        """
        from kokoro_core.checkpoints.hub import refuse_no_folder

        place = path_of("folder", folder)
        hub = self._on_hub(max_shard_bytes)
        refuse_no_folder(place)
        return hub.save_pretrained(place, **options)

    def push_to_hub(
        self, repo_id: str, *, max_shard_bytes: int | None = None, **options: Any
    ) -> str:
        """Upload the files of `save_pretrained` to a repository and return the commit's URL.

        Args:
            repo_id: ``someone/voice``.
            max_shard_bytes: As in `save_pretrained`.
            **options: ``private``, ``token``, ``branch``, ``commit_message`` and the others of
                `huggingface_hub.ModelHubMixin.push_to_hub`.
        """
        return self._on_hub(max_shard_bytes).push_to_hub(repo_id, **options)

    def _on_hub(self, max_shard_bytes: int | None) -> HubModel:
        from kokoro_core.checkpoints.hub import MAX_SHARD_BYTES, HubModel

        limit = MAX_SHARD_BYTES if max_shard_bytes is None else max_shard_bytes
        check_count("max_shard_bytes", limit)
        save = partial(self.save, max_shard_bytes=limit)
        return HubModel(self, save=save, resolved=resolve(self.spec, self.plugins))

    def forward(
        self,
        phoneme_indices: Tensor | TrainingBatch,
        mel_specs: Tensor | None = None,
        phoneme_durations: Tensor | None = None,
        stop_token_targets: Tensor | None = None,
        *,
        padding_mask: Tensor | None = None,
        mel_padding_mask: Tensor | None = None,
        seed: int | Sequence[int] | None = None,
        **extras: Any,
    ) -> ModelOutput:
        """Predict a training batch with teacher forcing, and compute its losses.

        Args:
            phoneme_indices: (B, N) int64; or a `TrainingBatch`, and no other argument.
            mel_specs: (B, T, M), the target, normalised with the mean and std of the spec's audio.
            phoneme_durations: (B, N) int64 frames; their sums are the lengths of the mels.
            stop_token_targets: (B, T), 1 at the last frame; None: derived from the lengths.
            padding_mask: (B, N) bool, True = padding; None: derived from the padding index.
            mel_padding_mask: (B, T) bool, True = padding; None: derived from the durations.
            seed: For parts that sample: one for all rows, or one per row; None: drawn from torch's
                generator.
            **extras: The side inputs that the model's parts need.

        Raises:
            ValueError: Shapes, types, devices, masks or lengths are inconsistent, or a part's
                output does not match its contract.
            TypeError: A side input is unknown or missing, an argument is not a tensor, or a part
                returned a value of the wrong kind.
        """
        given = {
            "mel_specs": mel_specs,
            "phoneme_durations": phoneme_durations,
            "stop_token_targets": stop_token_targets,
            "padding_mask": padding_mask,
            "mel_padding_mask": mel_padding_mask,
        }
        if isinstance(phoneme_indices, TrainingBatch):
            refuse_beside_batch({**given, **extras})
            batch = phoneme_indices
        else:
            check_devices(self.acoustic, {"phoneme_indices": phoneme_indices, **given, **extras})
            batch = training_batch(phoneme_indices, **given, extras=extras, sizes=self.spec.sizes)
        return self._predict(batch, row_noise(seed, len(batch)))

    def _predict(self, batch: TrainingBatch, noise: RowNoise | None) -> ModelOutput:
        extras = read_features(batch.extras, self.spec, batch.phoneme_indices)
        batch = replace(batch, extras=extras)
        acoustic = self.acoustic
        check_devices(acoustic, {**vars(batch), "extras": None, **batch.extras})
        check_dtypes(acoustic, {"mel_specs": batch.mel_specs, **batch.extras})
        needs_durations = acoustic.regulator is not None and acoustic.aligner is None
        batch = checked_batch(batch, self.spec.sizes, needs_durations=needs_durations)
        prediction = acoustic(batch, noise)
        losses = training_losses(prediction, batch, self.spec.loss)
        return ModelOutput(
            mel=prediction.mel,
            duration_pred=prediction.duration_pred,
            stop_logits=prediction.stop_logits,
            mel_coarse=prediction.mel_coarse,
            mel_padding_mask=batch.mel_padding_mask,
            loss=weigh(losses, self.spec.loss),
            losses=losses,
            plan=prediction.plan,
            soft=prediction.soft,
            predictions=prediction.predictions,
        )

    def inference(
        self,
        phoneme_indices: Tensor,
        max_mel_len: int | None = None,
        stop_threshold: float | None = None,
        **options: Any,
    ) -> Tensor:
        """Generate and return only the mel, (B, T, M), with 0 after the end of shorter rows.

        Takes the options of `generate`, which also returns why each row ended. If a non-finite
        frame ended a row, a warning says so, since the mel alone would not show it.
        """
        result = self.generate(
            phoneme_indices, max_mel_len=max_mel_len, stop_threshold=stop_threshold, **options
        )
        ill = [row for row, why in enumerate(result.stop_reasons) if why == "not_finite"]
        if ill:
            warnings.warn(
                f"`inference` ended rows {ill} early, at a frame that is NaN or infinite; look at "
                f"the weights, or speak in another precision.",
                stacklevel=2,
            )
        return result.mel

    def request(
        self,
        /,
        phoneme_indices: Tensor,
        padding_mask: Tensor | None = None,
        *,
        durations: Tensor | None = None,
        speed: float | Tensor | None = None,
        min_frames: int | None = None,
        max_mel_len: int | None = None,
        stop_threshold: float | None = None,
        length_ratio: float | None = None,
        chunk_frames: int | None = None,
        max_seconds: float | None = None,
        dtype: torch.dtype | None = None,
        seed: int | Sequence[int] | None = None,
        options: Mapping[str, float] | None = None,
        **extras: Any,
    ) -> GenerationRequest:
        """Return a request for `generate_many`; takes the arguments of `generate`."""
        if self.training:
            warnings.warn(
                "`generate` runs in training mode, so dropout is on; call `model.eval()` first.",
                stacklevel=3,
            )
        given: dict[str, Any] = {
            "speed": speed,
            "min_frames": min_frames,
            "max_mel_len": max_mel_len,
            "stop_threshold": stop_threshold,
            "length_ratio": length_ratio,
            "chunk_frames": chunk_frames,
            "max_seconds": max_seconds,
            "dtype": dtype,
        }
        defaults = defaults_of(self.spec)
        chosen = replace(
            defaults,
            **{name: each for name, each in given.items() if each is not None},
            of_parts=checked_options(self.spec, options or {}),
        )
        check_given("phoneme_indices", phoneme_indices)
        extras = read_features(extras, self.spec, phoneme_indices)
        return GenerationRequest(
            phoneme_indices, padding_mask, durations, seed, chosen, defaults, extras
        )

    @with_arguments_of(request)
    @torch.no_grad()
    def generate(self, request: GenerationRequest) -> Generation:
        """Generate mels from phonemes.

        If the model is in training mode, dropout is on and a warning says so; the mode does not
        change. No state that training tracks (such as running statistics) is updated.

        Args:
            phoneme_indices: (B, N) int64.
            padding_mask: (B, N) bool, True = padding; None: derived from the padding index.
            durations: (B, N) int64 frames instead of the predicted ones.
            seed: For parts that sample: one for all rows, or one per row. Every part draws from its
                own stream. None: drawn from torch's generator.
            options: Numbers with which the parts speak, such as ``{"decoder.temperature": 0.6}``.
            **extras: The side inputs that the model's parts need; a speaker and a language by name.
            request: All of these, and the fields of `GenerationOptions` as keywords; what is None
                is as the spec's section ``generation`` has it.

        Raises:
            ValueError: An argument is out of range, does not fit the phonemes, or needs a part that
                the model lacks; or a part's output does not match its contract.
            TypeError: A side input is unknown or missing, an argument has the wrong type, or a part
                returned a value of the wrong kind.
        """
        decoder = self._copies.get(original(self.acoustic.decoder), request.options.dtype)
        with generation.unchanged_buffers(self.acoustic, decoder):
            utterances = generation.read_request(self.acoustic, request, self.spec.sizes)
            return generation.generate(self.acoustic, utterances, decoder)

    @with_arguments_of(request)
    @torch.no_grad()
    def stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Generate and yield frames as they are made, in chunks (B, k, M).

        Takes the arguments of `generate`; the concatenated chunks are its mel. A parallel decoder
        yields one chunk.
        """
        decoder = self._copies.get(original(self.acoustic.decoder), request.options.dtype)
        with generation.unchanged_buffers(self.acoustic):
            utterances = generation.read_request(self.acoustic, request, self.spec.sizes)
        chunks = generation.stream(self.acoustic, utterances, decoder)
        while True:
            with generation.unchanged_buffers(self.acoustic, decoder):
                chunk = next(chunks, None)
            if chunk is None:
                return
            yield chunk

    @torch.no_grad()
    def generate_many(
        self,
        requests: Iterable[GenerationRequest | None],
        *,
        rows: int = 8,
        wanted: Callable[[int], bool] = lambda index: True,
    ) -> Iterator[tuple[int, Generation]]:
        """Generate many mels, and yield each request's number with its mel as soon as it ends.

        Rows that end make place for requests that wait, which are asked for when there is room.
        Each mel is what `generate` gives for its request alone. An autoregressive decoder speaks
        the rows at the same time if its `replaces_rows` is True; others one after the other.
        `max_seconds` counts from when a request begins. The weights must not change meanwhile.

        Args:
            requests: What `request` returned, of one row each, with the same `stop_threshold`,
                `chunk_frames`, `dtype` and `options`. None says that none is waiting now; it is
                asked again as long as others are being spoken.
            rows: The most that are spoken at the same time.
            wanted: Asked between steps whether the request of a number is wanted still; if not, it
                makes place and nothing of it is yielded.

        Raises:
            ValueError: As `generate`, for the request that a note names; or it has several rows, or
                differs in what all share.
            TypeError: As `generate`.
        """
        check_count("rows", rows)
        asked = iter(requests)
        first = next(asked, None)
        if first is None:
            return
        decoder = self._copies.get(original(self.acoustic.decoder), first.options.dtype)
        results = generation.generate_many(
            self.acoustic,
            chain([first], asked),
            decoder,
            self.spec.sizes,
            rows=rows,
            wanted=wanted,
        )
        while True:
            with generation.unchanged_buffers(self.acoustic, decoder):
                result = next(results, None)
            if result is None:
                return
            yield result

    def get_model_info(self) -> ModelInfo:
        """Return parameters and bytes, in total and by slot, and the origin of each part."""
        return model_info(self.acoustic, self.spec, self.plugins, self.vocoder)

    def _repr_html_(self) -> str:
        return model_html(self.spec, self.get_model_info(), self.plugins.components)
