"""How a command gets there: this machine, a container, an SSH host. The only room that knows docker and paramiko."""
