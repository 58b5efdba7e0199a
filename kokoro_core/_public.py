"""The public modules and names: what `KOKORO_API` versions. Everything else may change at any time.

``docs/api.md`` is made from this list; a test refuses a name that is taken out of it while the
version stays.
"""

from __future__ import annotations

PUBLIC: dict[str, tuple[str, ...]] = {
    "kokoro_core": (
        *("Adapt", "AudioSettings", "KokoroModel", "ModelSpec", "Problem", "SpecError"),
        *("assemble", "hookimpl", "load_spec", "vocabulary_by_symbol"),
    ),
    "kokoro_core.slots": (
        *("AdaptorParams", "AlignerParams", "CheckpointerParams", "ConditionerParams"),
        *("CorpusParams", "DecoderParams", "DurationPredictorParams", "NormalizerParams"),
        *("EncoderParams", "FrontendParams", "PositionalEncodingParams", "PostnetParams"),
        *("ProfilerParams", "RegulatorParams", "VocoderParams"),
        *("ADAPTOR", "ALIGNER", "CONDITIONER"),
        *("ImporterParams", "IMPORTER"),
        *("ObjectiveParams", "OptimizerParams", "ScheduleParams"),
        *("NORMALIZER", "OBJECTIVE", "OPTIMIZER", "SCHEDULE"),
        *("CHECKPOINTER", "CORPUS", "DECODER", "DURATION_PREDICTOR", "ENCODER", "FRONTEND"),
        *("POSITIONAL_ENCODING", "POSTNET", "PROFILER", "REGULATOR", "VOCODER"),
    ),
    "kokoro_core.params.component": ("ComponentParams", "StrictModel", "params_from"),
    "kokoro_core.params.capabilities": ("Capabilities", "SideInput"),
    "kokoro_core.params.features": ("Feature", "PartName"),
    "kokoro_core.params.options": ("Option",),
    "kokoro_core.params.sizes": (
        *("LAYER", "Size", "Sizes", "UNKNOWN_PART", "batch_norm", "conv1d", "embedding"),
        *("layer_norm", "linear", "table"),
    ),
    "kokoro_core.params.audio": ("AudioSettings",),
    "kokoro_core.contracts": (
        *("Adaptor", "AdaptorOutput", "Aligner", "AlignerOutput", "AutoregressiveDecoder"),
        *("Checkpointer", "Component", "Conditioner", "Corpus", "Decoder"),
        *("CorpusFacts", "FeatureFacts"),
        *("DecoderOutput", "DurationOutput", "DurationPredictor", "Encoder", "EncoderOutput"),
        *("Frontend", "Latents", "NeuralVocoder", "Normalizer", "Objective", "Schedule"),
        *("Importer", "ImportPlan", "Origin", "Published", "PublishedSettings"),
        *("OpenCheckpoint", "ParallelDecoder", "Plan", "PositionalEncoding", "Postnet"),
        *("Profiler", "Regulator", "State", "TensorInfo", "Utterance", "Vocoder", "map_tensors"),
    ),
    "kokoro_core.checkpoints.vocoder_file": ("SavedVocoder", "load_vocoder", "save_vocoder"),
    "kokoro_core.errors": (
        *("AudioMismatch", "CheckpointError", "CorpusError", "ExportError"),
        *("FrontendError", "FrontendWarning"),
    ),
    "kokoro_core.tensors.masks": (
        *("add_bias", "attend_mask", "can_look_inside", "causal_mask"),
        *("lengths_from_padding_mask", "padding_mask_from_lengths", "zero_padding"),
    ),
    "kokoro_core.tensors.durations": (
        *("check_durations", "mean_over_phonemes", "phoneme_of_frame", "place_in_phoneme"),
    ),
    "kokoro_core.tensors.noise": ("RowNoise",),
    "kokoro_core.tensors.pytree": ("register_pytree",),
    "kokoro_core.tensors.repeats": ("Repeats", "note_repeats", "repeats_of"),
    "kokoro_core.nn.attention": ("AttentionScope", "MultiheadAttention", "make_scope"),
    "kokoro_core.nn.attention_step": ("AttentionStep",),
    "kokoro_core.nn.batch_norm": ("MaskedBatchNorm",),
    "kokoro_core.nn.cache": ("KeyValueCache",),
    "kokoro_core.nn.conv": ("MaskedConv1d",),
    "kokoro_core.nn.feed_forward": ("FeedForward",),
    "kokoro_core.nn.mel": ("MelSpectrogram",),
    "kokoro_core.nn.prenet": ("Prenet",),
    "kokoro_core.nn.recurrent": ("BidirectionalLstm", "run_lstm"),
    "kokoro_core.nn.rows": ("put_rows", "rows_at", "steps_behind", "steps_of"),
    "kokoro_core.nn.shift": ("shift_right",),
    "kokoro_core.nn.stack": ("CheckpointedStack",),
    "kokoro_core.model": (
        *("AcousticModel", "ModelOutput", "TrainingBatch", "assemble", "training_losses"),
    ),
    "kokoro_core.generation": (
        *("Generation", "GenerationOptions", "GenerationRequest", "StopReason"),
    ),
    "kokoro_core.speech": (
        *("Reading", "SpokenSentence", "SynthesisResult", "TextToSpeech", "TimedWord", "speak"),
        "speak_sentences",
        *("write_sound", "write_wav"),
    ),
    "kokoro_core.speaking.parts": ("masked", "parts_of", "with_words"),
    "kokoro_core.kernels": (
        *("DecodingViews", "DerivedCache", "Dropout", "Linear", "ReluDropout", "attention"),
        *("direct", "feed_forward", "halves", "is_unmodified", "may_go_direct"),
        *("optimize_for_decoding", "prefer_repeated", "quantize_weights", "repeated_linear"),
        "side_by_side",
    ),
    "kokoro_core.kernels.reference": ("attention", "dropout", "feed_forward", "linear"),
    "kokoro_core.kernels.dropout": ("Dropout",),
    "kokoro_core.kernels.allocator": ("keep_freed_memory",),
    "kokoro_core.kernels.cpu": ("processor",),
    "kokoro_core.cost.estimate": ("Workload", "cost"),
    "kokoro_core.cost.live_bytes": ("activations",),
    "kokoro_core.durable": (
        *("FileRecord", "Manifest", "Step", "StepFolder", "atomic_file", "canonical_json"),
    ),
    "kokoro_core.spec.views.resolve": ("resolve", "spec_hash"),
    "kokoro_core.testing": (
        *("ConformanceError", "ConformanceWarning", "RaggedBatch", "Report", "Result", "Subject"),
        *("check_component", "chunkings", "conformance", "conformance_test"),
        *("decoding_machine", "durations", "padding", "ragged_batches", "specs"),
    ),
    "kokoro_core.cli.toolkit": (
        *("JsonOption", "LimitOption", "Session", "SetOption", "SpecArgument", "check_device"),
        "is_unicode",
        *("load_with", "print_error", "print_json", "print_note", "print_table", "print_yaml"),
        *("session_of", "text_given"),
    ),
    "registry": (
        *("API_VERSION", "OLDEST_API"),
        *(
            "Command",
            "ComponentClass",
            "ComponentRegistry",
            "Migration",
            "NamedSpec",
            "PluginRecord",
            "Plugins",
        ),
        *("Policy", "Registration", "Slot", "Voice"),
        *("discover", "hookimpl", "installed_plugins"),
    ),
}
"""Public module → its public names, in the order in which a plugin's author meets them."""
