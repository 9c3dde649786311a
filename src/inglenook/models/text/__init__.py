"""From a prompt to conditioning: the BPE vocabulary, prompt weights and chunks, and the text encoder's forward pass."""
