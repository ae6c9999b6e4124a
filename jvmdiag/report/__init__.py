"""Results as text or JSON: pure, prints nothing."""
