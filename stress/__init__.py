"""tls-stress: open thousands of TLS handshakes and isolate the rare failing fraction."""

__version__ = "0.1.0"
