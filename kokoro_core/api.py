"""`KokoroModel`: the public class, a thin face over assembly, generation and checkpoints."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self, final

import torch
from torch import Tensor, nn

from kokoro_core import generation
from kokoro_core.checkpoints import store as checkpoint
from kokoro_core.checkpoints.adapt import Adapt, Adaptation
from kokoro_core.cost.info import model_info
from kokoro_core.generation import (
    DecoderCopies,
    Generation,
    GenerationOptions,
    GenerationRequest,
    with_arguments_of,
)
from kokoro_core.model.acoustic import AcousticModel
from kokoro_core.model.assembly import assemble
from kokoro_core.model.batch import TrainingBatch
from kokoro_core.model.inputs import (
    check_devices,
    check_dtypes,
    checked_batch,
    refuse_beside_batch,
    training_batch,
)
from kokoro_core.model.losses import training_losses, weigh
from kokoro_core.model.output import ModelOutput
from kokoro_core.spec.arguments import check_count, path_of, plugins_of
from kokoro_core.spec.legacy_keywords import legacy_ends, legacy_settings
from kokoro_core.spec.load import Source, load_spec
from kokoro_core.spec.tree.model_spec import ModelSpec
from kokoro_core.spec.views.resolve import resolve
from kokoro_core.tensors.compiled import original
from registry import Plugins, installed_plugins

if TYPE_CHECKING:
    from kokoro_core.checkpoints.hub import HubModel


@final
class KokoroModel(nn.Module):
    """A text-to-speech acoustic model: trains, generates, saves and loads.

    The keywords are the original model's; they are settings of the named spec ``default``. With
    another number of phonemes it has no frontend, with another number of mel channels no audio
    settings and no vocoder. Any other model comes from `from_spec`.

    Args:
        vocab_size: Number of phoneme indices, padding included.
        mel_dim: Mel channels.
        hidden_dim: Width.
        n_encoder_layers: Layers of the encoder.
        n_decoder_layers: Layers of the decoder.
        n_heads: Attention heads of both.
        encoder_ff_dim: Width of the encoder's feed-forward blocks.
        decoder_ff_dim: Width of the decoder's.
        dropout: Of encoder, decoder and duration predictor.
        max_len: Longest sequence of phonemes or frames.
        gradient_checkpointing: Recompute each stack in segments in training, to save memory.
        checkpoint_segments: How many.

    Attributes:
        spec: The spec with every width written.
        acoustic: The parts.
        adaptation: What became of each tensor, if the model was adapted from a checkpoint.
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
            SpecError: The spec has problems; the error has all of them.
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
    ) -> Self:
        """Rebuild a model from a checkpoint alone, in evaluation mode.

        Args:
            path: A file, the index of several, a step directory, or a folder with one of them; of a
                run's folder of steps the newest that is whole is taken.
            device: Where the model goes.
            plugins: Where components come from; None: the installed plugins.
            verify: Compare the content with its hash; False saves the time and finds no bit rot.
            adapt: Build another model than the checkpoint's and take what fits; None: all or
                nothing.

        Raises:
            CheckpointError: The checkpoint is missing, damaged or none, or does not fit its own
                spec; the error lists every tensor that differs.
            TypeError: An argument is of another type.
            ValueError: The device is none, or not on this machine.
            SpecError: The spec inside needs components that are not installed.
        """
        plugins = plugins_of(plugins)
        spec, acoustic, report = checkpoint.load(
            path_of("path", path), plugins, device, verify=verify, adapt=adapt
        )
        model = cls._of(spec, acoustic, plugins).eval()
        model.adaptation = report
        return model

    def load_weights(self, path: str | os.PathLike[str], *, verify: bool = True) -> None:
        """Put the weights of a checkpoint of this very model into it: all of them, or none.

        Args:
            path: As in `load`.
            verify: As in `load`.

        Raises:
            CheckpointError: The checkpoint is missing, damaged, none, or of another model; the
                model is then as it was.
        """
        place = path_of("path", path)
        checkpoint.load_weights(place, self.acoustic, self.spec, self.plugins, verify=verify)

    @classmethod
    def _of(cls, spec: ModelSpec, acoustic: AcousticModel, plugins: Plugins) -> Self:
        model = cls.__new__(cls)
        nn.Module.__init__(model)
        model._adopt(spec, acoustic, plugins)
        return model

    def save(self, path: str | os.PathLike[str], *, max_shard_bytes: int | None = None) -> None:
        """Write the weights and the spec that rebuilds the model, whole or not at all.

        Args:
            path: A file with a suffix that a checkpointer handles, such as ``.safetensors``.
            max_shard_bytes: Weights of more bytes than this are split over several files beside
                the path, with an index; None: one file.

        Raises:
            CheckpointError: Nobody could load it, as `check_savable` finds or because a weight is
                not finite, or the disk refuses.
        """
        place = path_of("path", path)
        if max_shard_bytes is not None:
            check_count("max_shard_bytes", max_shard_bytes)
        checkpoint.save(
            place, self.acoustic, self.spec, self.plugins, max_shard_bytes=max_shard_bytes
        )

    def check_savable(self, path: str | os.PathLike[str] = "model.safetensors") -> None:
        """Refuse a model that could not be saved, or not be loaded again; nothing is written.

        It looks at classes of modules and at names, types and shapes of tensors, and takes some
        hundredths of a second. Parts that `torch.compile` has wrapped are saved as their originals.

        Args:
            path: Where it would be saved; what can be stored depends on the suffix.

        Raises:
            CheckpointError: The model is not the one that its spec describes, the spec cannot be
                read again, or the checkpointer cannot store the tensors as they are.
        """
        place = path_of("path", path)
        checkpoint.check_savable(place, self.acoustic, self.spec, self.plugins)

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
                ``local_files_only``, as `huggingface_hub` takes them.

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
            folder: Made if it is not there.
            max_shard_bytes: Weights of more bytes than this are split; None: 5 GB, as the Hub asks.
            **options: As `huggingface_hub.ModelHubMixin.save_pretrained` takes them.

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
        """Upload what `save_pretrained` writes to a repository and return the commit's address.

        Args:
            repo_id: ``someone/voice``.
            max_shard_bytes: As in `save_pretrained`.
            **options: ``private``, ``token``, ``branch``, ``commit_message`` and the others that
                `huggingface_hub.ModelHubMixin.push_to_hub` takes.
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
        **extras: Any,
    ) -> ModelOutput:
        """Predict a training batch and its losses, the decoder fed with the true frames.

        Args:
            phoneme_indices: (B, N) int64; or a whole `TrainingBatch`, and nothing beside it.
            mel_specs: (B, T, M), the target; normalised with the mean and std of the spec's audio.
            phoneme_durations: (B, N) int64 frames, whose sums are the lengths of the mels.
            stop_token_targets: (B, T), 1 at the last frame; None: made from the lengths.
            padding_mask: (B, N) bool, True = padding; None: where the padding index stands.
            mel_padding_mask: (B, T) bool, True = padding; None: from the durations.
            **extras: The side inputs that the model's parts need.

        Raises:
            ValueError: Shapes, types, devices, masks or lengths do not fit together, or a part
                returned what does not fit.
            TypeError: A side input is unknown or missing, something is no tensor, or a part
                returned something else than its contract says.
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
            check_devices(self, {"phoneme_indices": phoneme_indices, **given, **extras})
            batch = training_batch(phoneme_indices, **given, extras=extras, sizes=self.spec.sizes)
        return self._predict(batch)

    def _predict(self, batch: TrainingBatch) -> ModelOutput:
        check_devices(self, {**vars(batch), "extras": None, **batch.extras})
        check_dtypes(self, {"mel_specs": batch.mel_specs, **batch.extras})
        needs_durations = self.acoustic.regulator is not None
        batch = checked_batch(batch, self.spec.sizes, needs_durations=needs_durations)
        prediction = self.acoustic(batch)
        losses = training_losses(prediction, batch, self.spec.loss)
        return ModelOutput(
            mel=prediction.mel,
            duration_pred=prediction.duration_pred,
            stop_logits=prediction.stop_logits,
            mel_coarse=prediction.mel_coarse,
            mel_padding_mask=batch.mel_padding_mask,
            loss=weigh(losses, self.spec.loss),
            losses=losses,
        )

    def inference(
        self,
        phoneme_indices: Tensor,
        max_mel_len: int = 1000,
        stop_threshold: float = 0.5,
        **options: Any,
    ) -> Tensor:
        """Speak and return the mel alone, (B, T, M), rows that end earlier filled with 0.

        Takes the options of `generate`, which also says why each row ended. A row that ended by a
        frame that is not finite is warned of, since nothing else would tell.
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

    def _request(
        self,
        /,
        phoneme_indices: Tensor,
        padding_mask: Tensor | None = None,
        *,
        durations: Tensor | None = None,
        speed: float | Tensor = 1.0,
        min_frames: int = 1,
        max_mel_len: int = 1000,
        stop_threshold: float = 0.5,
        length_ratio: float | None = None,
        chunk_frames: int | None = None,
        max_seconds: float | None = None,
        dtype: torch.dtype | None = None,
        seed: int | Sequence[int] | None = None,
        **extras: Any,
    ) -> GenerationRequest:
        """Return what is asked for: the one list of what `generate` and `stream` take."""
        if self.training:
            warnings.warn(
                "`generate` runs in training mode, so dropout is on; call `model.eval()` first.",
                stacklevel=3,
            )
        options = GenerationOptions(
            speed=speed,
            min_frames=min_frames,
            max_mel_len=max_mel_len,
            stop_threshold=stop_threshold,
            length_ratio=length_ratio,
            chunk_frames=chunk_frames,
            max_seconds=max_seconds,
            dtype=dtype,
        )
        return GenerationRequest(phoneme_indices, padding_mask, durations, seed, options, extras)

    @with_arguments_of(_request)
    @torch.no_grad()
    def generate(self, request: GenerationRequest) -> Generation:
        """Speak: make mels from phonemes alone.

        Dropout is on if the model is in training mode, which is warned of and not changed; nothing
        is tracked then, as training does.

        Args:
            phoneme_indices: (B, N) int64.
            padding_mask: (B, N) bool, True = padding; None: where the padding index stands.
            durations: (B, N) int64 frames instead of the predicted ones.
            seed: For parts that sample, each with numbers of its own: of every row, or one a row;
                None: drawn from torch's.
            **extras: The side inputs that the model's parts need.
            request: All of these, and as keywords what `GenerationOptions` lists.

        Raises:
            ValueError: An argument is out of range, does not fit the phonemes, or asks for what the
                model has no part for; or a part returned what does not fit.
            TypeError: A side input is unknown or missing, an argument is of another type, or a part
                returned something else than its contract says.
        """
        decoder = self._copies.get(original(self.acoustic.decoder), request.options.dtype)
        with generation.unchanged_buffers(self.acoustic, decoder):
            utterances = generation.read_request(self.acoustic, request, self.spec.sizes)
            return generation.generate(self.acoustic, utterances, decoder)

    @with_arguments_of(_request)
    @torch.no_grad()
    def stream(self, request: GenerationRequest) -> Iterator[Tensor]:
        """Speak and yield the frames as they are made, in chunks (B, k, M).

        The arguments are those of `generate`, and the chunks joined are its mel. A parallel decoder
        makes one chunk.
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

    def get_model_info(self) -> dict[str, Any]:
        """Return parameters and bytes, in total and for each slot, and the origin of each part."""
        return model_info(self.acoustic, self.spec, self.plugins)
