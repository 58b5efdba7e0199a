"""The Conformer: self-attention and convolutions by turns."""
