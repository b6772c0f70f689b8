"""Charts and contact sheets that a training run draws."""
