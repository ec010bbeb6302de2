"""The scripts by the names of `--starttls`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from stress.dialogues.binary_protocols import ldap, mysql, postgres
from stress.dialogues.dialogue import Script
from stress.dialogues.line_protocols import ftp, imap, lmtp, nntp, pop3, sieve, smtp
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
