"""How to build, install and show Muster."""
