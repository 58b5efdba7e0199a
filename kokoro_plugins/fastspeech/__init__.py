"""Parts of FastSpeech (Ren et al., 2019)."""
