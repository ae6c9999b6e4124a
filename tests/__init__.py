"""The tests: unit alone needs nothing; contract and real stand on real parts."""
