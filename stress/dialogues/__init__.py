"""What is spoken in clear text before TLS begins, as by STARTTLS: bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from stress.dialogues.dialogue import Script
from stress.dialogues.ftp import ftp
from stress.dialogues.imap import imap
from stress.dialogues.ldap import ldap
from stress.dialogues.mysql import mysql
from stress.dialogues.nntp import nntp
from stress.dialogues.pop3 import pop3
from stress.dialogues.postgres import postgres
from stress.dialogues.sieve import sieve
from stress.dialogues.smtp import lmtp, smtp
from stress.dialogues.xmpp import xmpp
from stress.model.plan import StartTls

SCRIPTS: Mapping[StartTls, Script] = MappingProxyType(
    {
        StartTls.SMTP: smtp,
        StartTls.LMTP: lmtp,
        StartTls.IMAP: imap,
        StartTls.POP3: pop3,
        StartTls.FTP: ftp,
        StartTls.LDAP: ldap,
        StartTls.POSTGRES: postgres,
        StartTls.MYSQL: mysql,
        StartTls.XMPP: xmpp,
        StartTls.SIEVE: sieve,
        StartTls.NNTP: nntp,
    }
)
"""By the names of `--starttls`."""
