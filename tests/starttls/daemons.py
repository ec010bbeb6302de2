"""Real mail, directory and database servers of the distribution, each started on loopback.

Most of them give up their rights as root and run as a user of their own, so what they read lies in
a folder that everybody may enter. Nothing here is installed or started by the system: each has its
own configuration, data and port.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stress.model.plan import StartTls
from tests.servers.certificates import HOST
from tests.servers.process import ServerProcess, free_ports

POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), Path("/nowhere"))
INN = Path("/usr/lib/news/bin")


@dataclass(frozen=True, slots=True)
class Setup:
    """Where a server keeps its things, and what it shows."""

    folder: Path
    chain: Path
    key: Path
    port: int

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def give_to(self, user: str) -> None:
        """Let a server that runs as this user read and write everything."""
        for path in [self.folder, *self.folder.rglob("*")]:
            shutil.chown(path, user)
        self.key.chmod(0o600)


def postfix(setup: Setup) -> list[str]:
    """SMTP, by Postfix."""
    for name in ("queue", "data"):
        (setup.folder / name).mkdir()
    shutil.chown(setup.folder / "data", "postfix")
    setup.write(
        "main.cf",
        f"""compatibility_level = 3.6
queue_directory = {setup.folder}/queue
data_directory = {setup.folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = {HOST}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_chain_files = {setup.key}, {setup.chain}
smtpd_client_connection_count_limit = 0
maillog_file_prefixes = {setup.folder}
maillog_file = {setup.folder}/mail.log
""",
    )
    setup.write(
        "master.cf",
        f"""127.0.0.1:{setup.port} inet n - n - 200 smtpd
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
""",
    )
    subprocess.run(["postfix", "-c", setup.folder, "check"], check=True, capture_output=True)
    # `postfix start-fg` has a shell between, which would keep our signal to itself.
    return ["/usr/lib/postfix/sbin/master", "-c", str(setup.folder), "-d"]


def dovecot(setup: Setup, protocol: str) -> list[str]:
    """IMAP, POP3, LMTP or ManageSieve, by Dovecot."""
    service = {"lmtp": "lmtp", "sieve": "managesieve-login"}.get(protocol, f"{protocol}-login")
    # By itself it would listen on the well-known ports, too, those with TLS first included.
    closed = {"imap": ["imaps"], "pop3": ["pop3s"], "sieve": [], "lmtp": []}[protocol]
    listeners = [f"inet_listener {protocol} {{\n port = {setup.port}\n }}"]
    listeners += [f"inet_listener {each} {{\n port = 0\n }}" for each in closed]
    newline = "\n"
    path = setup.write(
        "dovecot.conf",
        f"""protocols = {protocol}
listen = 127.0.0.1
base_dir = {setup.folder}/run
state_dir = {setup.folder}/state
log_path = {setup.folder}/dovecot.log
ssl = yes
ssl_cert = <{setup.chain}
ssl_key = <{setup.key}
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={setup.folder}/home
}}
service {service} {{
  {newline.join(listeners)}
}}
""",
    )
    return ["dovecot", "-F", "-c", str(path)]


def slapd(setup: Setup) -> list[str]:
    """LDAP, by OpenLDAP."""
    path = setup.write(
        "slapd.conf",
        f"""pidfile {setup.folder}/slapd.pid
TLSCertificateFile {setup.chain}
TLSCertificateKeyFile {setup.key}
""",
    )
    return ["slapd", "-f", str(path), "-h", f"ldap://127.0.0.1:{setup.port}/", "-d", "0"]


def postgres(setup: Setup) -> list[str]:
    """PostgreSQL; it refuses to run as root."""
    setup.give_to("postgres")
    data, switch = setup.folder / "db", ["runuser", "-u", "postgres", "--"]
    subprocess.run(
        [*switch, POSTGRES / "initdb", "-A", "trust", "--no-sync", "-D", data],
        check=True,
        capture_output=True,
        cwd=setup.folder,
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": setup.port,
        "unix_socket_directories": setup.folder,
        "ssl": "on",
        "ssl_cert_file": setup.chain,
        "ssl_key_file": setup.key,
        "fsync": "off",
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    # Without a shell between, so that our signal reaches it.
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return [*user, str(POSTGRES / "postgres"), "-D", str(data), *words]


def mariadb(setup: Setup) -> list[str]:
    """MySQL, by MariaDB."""
    setup.give_to("mysql")
    data = setup.folder / "db"
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            "--user=mysql",
            f"--datadir={data}",
            "--skip-test-db",
            "--skip-name-resolve",
        ],
        check=True,
        capture_output=True,
        cwd=setup.folder,
    )
    # Who may not log in from here is refused before TLS.
    init = setup.write("init.sql", "CREATE USER 'tls'@'%' IDENTIFIED BY 'unused';")
    return [
        "mariadbd",
        "--no-defaults",
        f"--init-file={init}",
        "--user=mysql",
        f"--datadir={data}",
        f"--port={setup.port}",
        "--bind-address=127.0.0.1",
        f"--socket={setup.folder}/m.sock",
        f"--pid-file={setup.folder}/m.pid",
        f"--ssl-cert={setup.chain}",
        f"--ssl-key={setup.key}",
        "--skip-name-resolve",
        "--max-connect-errors=1000000",
    ]


def vsftpd(setup: Setup) -> list[str]:
    """FTP, by vsftpd."""
    Path("/var/run/vsftpd/empty").mkdir(parents=True, exist_ok=True)
    path = setup.write(
        "vsftpd.conf",
        f"""listen=YES
background=NO
listen_address=127.0.0.1
listen_port={setup.port}
anonymous_enable=YES
ssl_enable=YES
rsa_cert_file={setup.chain}
rsa_private_key_file={setup.key}
ssl_tlsv1=YES
max_per_ip=0
seccomp_sandbox=NO
vsftpd_log_file={setup.folder}/vsftpd.log
secure_chroot_dir=/var/run/vsftpd/empty
""",
    )
    return ["vsftpd", str(path)]


def prosody(setup: Setup) -> list[str]:
    """XMPP, by Prosody."""
    setup.give_to("prosody")
    path = setup.write(
        "prosody.cfg.lua",
        f"""run_as_root = true
daemonize = false
pidfile = "{setup.folder}/prosody.pid"
data_path = "{setup.folder}"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {setup.port} }}
modules_enabled = {{ "tls", "saslauth" }}
modules_disabled = {{ "s2s" }}
c2s_require_encryption = true
log = {{ info = "{setup.folder}/prosody.log" }}
VirtualHost "{HOST}"
  ssl = {{ key = "{setup.key}", certificate = "{setup.chain}" }}
""",
    )
    return [
        "setpriv",
        "--reuid=prosody",
        "--regid=prosody",
        "--clear-groups",
        "prosody",
        "--config",
        str(path),
        "-F",
    ]


def nnrpd(setup: Setup) -> list[str]:
    """NNTP, by the readers' part of INN, with an empty spool."""
    folder, user = setup.folder, ["setpriv", "--reuid=news", "--regid=news", "--clear-groups"]
    for name in ("db", "run", "tmp", "log", "spool", "spool/overview", "spool/articles"):
        (folder / name).mkdir()
    paths = {name: folder / name for name in ("db", "run", "tmp", "log", "spool")}
    inn = {f"path{name}": path for name, path in paths.items()} | {
        "mta": "/bin/true",
        "organization": "test",
        "domain": HOST,
        "pathhost": HOST,
        "hismethod": "hisv6",
        "ovmethod": "tradindexed",
        "enableoverview": "true",
        "nnrpdloadlimit": 0,  # by itself it turns clients away on a busy machine
        "pathetc": folder,
        "pathnews": INN.parent,
        "tlscertfile": setup.chain,
        "tlskeyfile": setup.key,
        "tlscapath": folder,
    }
    conf = setup.write("inn.conf", "".join(f"{name}: {value}\n" for name, value in inn.items()))
    setup.write(
        "readers.conf",
        'auth "all" { hosts: "*" default: "<all>" }\naccess "all" { users: "*" newsgroups: "*" }\n',
    )
    setup.write("storage.conf", "method tradspool { newsgroups: * class: 0 }\n")
    for name in ("active", "active.times", "newsgroups", "history"):
        setup.write(f"db/{name}", "")
    setup.give_to("news")
    where = ["env", f"INNCONF={conf}"]
    history = str(folder / "db/history")
    for make in ([str(INN / "makedbz"), "-i", "-o", "-f", history], [str(INN / "overchan")]):
        subprocess.run(
            [*user, *where, *make], check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
    reader = [str(INN / "nnrpd"), "-D", "-f", "-4", "127.0.0.1", "-p", str(setup.port)]
    return [*user, *where, *reader]


DAEMONS: dict[StartTls, tuple[str, Callable[[Setup], list[str]]]] = {
    StartTls.SMTP: ("postfix", postfix),
    StartTls.LMTP: ("dovecot", lambda setup: dovecot(setup, "lmtp")),
    StartTls.IMAP: ("dovecot", lambda setup: dovecot(setup, "imap")),
    StartTls.POP3: ("dovecot", lambda setup: dovecot(setup, "pop3")),
    StartTls.SIEVE: ("dovecot", lambda setup: dovecot(setup, "sieve")),
    StartTls.FTP: ("vsftpd", vsftpd),
    StartTls.LDAP: ("slapd", slapd),
    StartTls.POSTGRES: ("pg_ctlcluster", postgres),
    StartTls.MYSQL: ("mariadbd", mariadb),
    StartTls.XMPP: ("prosody", prosody),
    StartTls.NNTP: ("ctlinnd", nnrpd),
}
"""The program that has to be on the path, and what makes the command of its server."""


def start(protocol: StartTls, folder: Path, chain: Path, key: Path) -> tuple[ServerProcess, int]:
    """Start the real server of a protocol, in a folder of its own; returns its port, too."""
    folder.mkdir()
    folder.chmod(0o755)
    own = [shutil.copy(path, folder) for path in (chain, key)]
    (port,) = free_ports(1)
    setup = Setup(folder, Path(own[0]), Path(own[1]), port)
    setup.key.chmod(0o600)
    command = DAEMONS[protocol][1](setup)
    return ServerProcess(command, folder, [port]), port
