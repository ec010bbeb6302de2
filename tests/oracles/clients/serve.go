// A TLS server for any chains. Standard input: one chain a line, fields between tabs: name, highest
// version (1.2 or 1.3), private key (base64 PKCS 8), certificates (base64, commas between). It answers
// with a line "name port" each, and serves until its standard input ends. Its first line is "proxy" and
// the port of a proxy: CONNECT leads to the chain on that port, whatever the host.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

func main() {
	lines, ports := bufio.NewReaderSize(os.Stdin, 1<<20), &sync.Map{}
	proxy, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go relay(proxy, ports)
	fmt.Printf("proxy\t%d\n", proxy.Addr().(*net.TCPAddr).Port)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		parts := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		der, _ := base64.StdEncoding.DecodeString(parts[2])
		key, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			panic(err)
		}
		chain := tls.Certificate{PrivateKey: key}
		for _, one := range strings.Split(parts[3], ",") {
			sent, _ := base64.StdEncoding.DecodeString(one)
			chain.Certificate = append(chain.Certificate, sent)
		}
		highest := uint16(tls.VersionTLS13)
		if parts[1] == "1.2" {
			highest = tls.VersionTLS12
		}
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		config := &tls.Config{
			Certificates: []tls.Certificate{chain},
			MaxVersion:   highest,
			NextProtos:   []string{"http/1.1"},
		}
		port := listener.Addr().(*net.TCPAddr).Port
		ports.Store(fmt.Sprint(port), true)
		go serve(listener, config)
		fmt.Printf("%s\t%d\n", parts[0], port)
	}
}

func serve(listener net.Listener, config *tls.Config) {
	for {
		raw, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer raw.Close()
			raw.SetDeadline(time.Now().Add(30 * time.Second))
			connection := tls.Server(raw, config)
			if connection.Handshake() == nil {
				connection.Read(make([]byte, 4096))
				connection.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n"))
				connection.CloseWrite()
				connection.Read(make([]byte, 4096))
			}
		}()
	}
}

func relay(listener net.Listener, ports *sync.Map) {
	for {
		near, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer near.Close()
			reader := bufio.NewReader(near)
			request, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			_, port, _ := net.SplitHostPort(request.Host)
			if _, known := ports.Load(port); !known || request.Method != "CONNECT" {
				fmt.Fprint(near, "HTTP/1.1 403 Forbidden\r\n\r\n")
				return
			}
			far, err := net.Dial("tcp4", "127.0.0.1:"+port)
			if err != nil {
				return
			}
			defer far.Close()
			fmt.Fprint(near, "HTTP/1.1 200 OK\r\n\r\n")
			go func() {
				io.Copy(far, reader)
				far.(*net.TCPConn).CloseWrite()
			}()
			io.Copy(near, far)
		}()
	}
}
