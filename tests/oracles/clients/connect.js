// Node's tls as a client of a real server. Standard input: host, port and file of roots between tabs;
// it answers each line with what Node says, or "ok". A child process does that, and another goes on
// where one has crashed (Node 24 does on some certificates).
const { spawnSync } = require('child_process');
const fs = require('fs');
const net = require('net');
const tls = require('tls');

function connect(host, port, roots) {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, ca: fs.readFileSync(roots), timeout: 30000 };
    options.checkServerIdentity = (_, certificate) => tls.checkServerIdentity(host, certificate);
    // The host is compared with the name that was asked for, or with the address.
    if (!net.isIP(host)) options.servername = host;
    const socket = tls.connect(options, () => { socket.destroy(); resolve('ok'); });
    socket.on('error', (error) => resolve(`${error.code}: ${error.message}`.replace(/\n/g, ' ')));
    socket.on('timeout', () => { socket.destroy(); resolve('timeout'); });
  });
}

async function main() {
  console.log(`${process.version}, OpenSSL ${process.versions.openssl}`);
  for (const line of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    const [host, port, roots] = line.split('\t');
    console.log(await connect(host, Number(port), roots));
  }
}

function supervise() {
  const lines = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean);
  const said = [];
  let version = '';
  do {
    const input = lines.slice(said.length).map((line) => line + '\n').join('');
    const options = { input, encoding: 'utf8', maxBuffer: 1 << 30 };
    const child = spawnSync(process.execPath, [__filename, 'child'], options);
    let answers;
    [version, ...answers] = child.stdout.split('\n').filter(Boolean);
    said.push(...answers);
    if (said.length < lines.length) said.push(`crashed: ${child.signal}`);
  } while (said.length < lines.length);
  console.log([version, ...said].join('\n'));
}

if (process.argv[2] === 'child') main();
else supervise();
