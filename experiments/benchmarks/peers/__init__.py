"""What is timed. Everything here runs in worker processes only; nothing else imports torch or timm."""
