"""A text before it is phonemized: sentences, normalisation, a lexicon, phonemes written in it."""
