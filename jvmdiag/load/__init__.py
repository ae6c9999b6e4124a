"""Load that is made on purpose, for systems that nobody depends on."""
