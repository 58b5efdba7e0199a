"""The neural vocoder HiFi-GAN, with published weights."""
