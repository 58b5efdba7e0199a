"""Parts of Non-Attentive Tacotron (Shen et al., 2020)."""
