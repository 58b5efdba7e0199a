"""Parts of SpeechT5 (Ao et al., 2022)."""
