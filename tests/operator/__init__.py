"""musterctl and musterd as an operator uses them."""
