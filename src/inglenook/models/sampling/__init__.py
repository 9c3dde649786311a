"""From conditioning and noise to a latent: predictions, sigma schedules, samplers, guidance, the loop."""
