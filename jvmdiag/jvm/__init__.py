"""What runs there: find the JVMs that a view can see, and read what they publish about themselves."""
