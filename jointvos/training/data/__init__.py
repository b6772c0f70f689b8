"""What networks are trained on: pictures in motion of our own making, and real videos."""
