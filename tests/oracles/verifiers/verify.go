// Go's crypto/tls as a client. Standard input: one chain a line (see oracle.py).
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// flight is a connection whose other end has said all that it will ever say.
type flight struct {
	net.Conn
	in *bytes.Reader
}

func (f flight) Read(p []byte) (int, error)       { return f.in.Read(p) }
func (f flight) Write(p []byte) (int, error)      { return len(p), nil }
func (f flight) Close() error                     { return nil }
func (f flight) SetDeadline(time.Time) error      { return nil }
func (f flight) SetReadDeadline(time.Time) error  { return nil }
func (f flight) SetWriteDeadline(time.Time) error { return nil }

// Go judges a chain when it has read one more message. After a chain that it accepts it misses the
// ServerKeyExchange.
var helloDone = []byte{22, 3, 3, 0, 4, 14, 0, 0, 0}

func main() {
	seconds, _ := strconv.ParseInt(os.Args[1], 10, 64)
	at := time.Unix(seconds, 0)
	fmt.Printf("version\t%s\n", runtime.Version())
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		roots := x509.NewCertPool()
		unread := ""
		for _, one := range strings.Split(parts[2], ",") {
			der, _ := base64.StdEncoding.DecodeString(one)
			root, err := x509.ParseCertificate(der)
			if err != nil {
				unread = err.Error() // as in a PEM file: left out
				continue
			}
			roots.AddCert(root)
		}
		sent, _ := base64.StdEncoding.DecodeString(parts[3])
		client := tls.Client(flight{in: bytes.NewReader(append(sent, helloDone...))}, &tls.Config{
			RootCAs: roots, ServerName: parts[1], Time: func() time.Time { return at },
		})
		err = client.Handshake()
		said := "ok"
		if !strings.Contains(err.Error(), "missing ServerKeyExchange") {
			said = strings.ReplaceAll(err.Error(), "\n", " ")
			if unread != "" {
				said += " (an anchor was left out: " + unread + ")"
			}
		}
		fmt.Printf("%s\t%s\n", parts[0], said)
	}
}
