"""Bad input on every port: it is answered, bounded and harms nobody else (P9)."""
