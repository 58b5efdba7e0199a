"""The prior side of VITS: text encoder, stochastic durations, and a flow of couplings."""
