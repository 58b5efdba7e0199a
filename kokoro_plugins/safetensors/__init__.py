"""Checkpoints in the safetensors format: one file, no pickle."""
