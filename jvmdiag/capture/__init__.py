"""How a dump is made: the ladder chooses, then threads, heap or histogram are asked for."""
