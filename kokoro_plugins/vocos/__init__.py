"""The neural vocoder Vocos: frames to spectra, and spectra to a wave by the inverse STFT."""
