"""From text to sound beyond one utterance: words and their times, sentences, files of sound."""
