// Go's crypto/tls as a client of a real server. Standard input: host, port and file of roots between
// tabs; it answers each line with what Go says, or "ok".
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
)

func main() {
	fmt.Println(runtime.Version())
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		parts := strings.Split(lines.Text(), "\t")
		pem, _ := os.ReadFile(parts[2])
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		raw, err := net.Dial("tcp4", "127.0.0.1:"+parts[1])
		if err == nil {
			err = tls.Client(raw, &tls.Config{RootCAs: roots, ServerName: parts[0]}).Handshake()
			raw.Close()
		}
		if err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
}
