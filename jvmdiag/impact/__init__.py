"""The price of a capture: what it did to the target."""
