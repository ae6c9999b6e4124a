"""Tests on real parts: a Docker Engine, JVMs in containers, SSH hosts."""
