"""What goes from one server to another: backups, and users of other programs."""
