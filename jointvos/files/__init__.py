"""Files that appear when they are complete, locks, and images."""
