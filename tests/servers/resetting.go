// A TLS server of Go that resets every second handshake after its ServerHello.
// Arguments: port, chain, key.

package main

import (
	"crypto/tls"
	"net"
	"os"
)

// Sends its ServerHello, then resets.
type cut struct{ *net.TCPConn }

func (c cut) Write(b []byte) (int, error) {
	n := 5 + int(b[3])<<8 + int(b[4])
	c.TCPConn.Write(b[:n])
	c.SetLinger(0)
	c.Close()
	return 0, net.ErrClosed
}

func main() {
	cert, err := tls.LoadX509KeyPair(os.Args[2], os.Args[3])
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		panic(err)
	}
	for k := 0; ; k++ {
		c, err := l.Accept()
		if err != nil {
			return
		}
		var conn net.Conn = c
		if k%2 == 1 {
			conn = cut{c.(*net.TCPConn)}
		}
		go func() {
			t := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
			t.Handshake()
			b := make([]byte, 10)
			t.Read(b)
			t.Close()
		}()
	}
}
