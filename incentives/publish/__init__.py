"""What is published of every epoch, for strangers to check."""
