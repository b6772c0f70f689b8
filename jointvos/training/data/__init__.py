"""What networks are trained on: images in motion of our own making, and real videos."""
