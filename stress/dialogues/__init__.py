"""What is spoken in clear text before TLS begins, as by STARTTLS: bytes in, bytes out."""
