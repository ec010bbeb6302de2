"""Python's `ssl`, as it is by default (`plain`), strict, or as the default context of 3.13.

    openssl.py plain|strict|as-3.13

Standard input: one chain a line (see `oracle.py`). Runs under `faketime`.
"""

import ssl
import sys
from base64 import b64decode

FLAGS = {
    "plain": ssl.VerifyFlags(0),
    "strict": ssl.VERIFY_X509_STRICT,  # as `openssl verify -x509_strict`
    "as-3.13": ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN,
}
print("version", sys.version.split()[0], ssl.OPENSSL_VERSION, sep="\t")  # noqa: T201
for line in sys.stdin:
    chain, host, anchors, flight = line.rstrip("\n").split("\t")
    try:
        context = ssl.create_default_context(cadata=b"".join(map(b64decode, anchors.split(","))))
        context.verify_flags |= FLAGS[sys.argv[1]]
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = context.wrap_bio(incoming, outgoing, server_hostname=host)
        incoming.write(b64decode(flight))
        end.do_handshake()
    except ssl.SSLWantReadError:
        said = "ok"
    except ssl.SSLCertVerificationError as error:
        said = f"{error.verify_code} {error.verify_message}"
    except (ssl.SSLError, ValueError) as error:
        said = f"{type(error).__name__} {error}"
    print(chain, said.replace("\n", " "), sep="\t")  # noqa: T201
