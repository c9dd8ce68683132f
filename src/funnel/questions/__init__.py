"""One package per question; none imports another."""
