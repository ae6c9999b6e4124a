"""The command line: the only room that knows typer and tqdm, and the only one that prints."""
