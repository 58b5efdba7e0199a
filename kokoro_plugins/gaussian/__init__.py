"""Gaussian upsampling from phonemes to frames."""
