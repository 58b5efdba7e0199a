"""Parts of Tacotron 2 (Shen et al., 2018)."""
