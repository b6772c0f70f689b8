"""The painted reef and fish of the example clip."""
