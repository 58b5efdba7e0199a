"""An autoregressive model over continuous latents, which samples each with a flow head."""
