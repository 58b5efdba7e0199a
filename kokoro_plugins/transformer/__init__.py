"""The default components: transformer encoder and decoders, MLP predictor, repeat regulator."""
