// Package notify tells the service manager that started this process how far it is, by the protocol of systemd's
// sd_notify(3): one datagram of lines to the socket that the environment names. Without one, nothing is told.
package notify

import (
	"fmt"
	"net"
	"os"
	"strings"
)

// socketEnv names the socket. A name that begins with @ is in the abstract namespace of Linux, which package net takes
// as it is written.
const socketEnv = "NOTIFY_SOCKET"

// Ready says that calls are taken. What the status says shows in "systemctl status"; a line end in it ends it.
func Ready(status string) error { return send("READY=1", "STATUS="+line(status)) }

// Reloading says that the configuration is read again. [Ready] must follow, whether it was taken or not.
func Reloading() error { return send("RELOADING=1", monotonic()) }

// Stopping says that no new calls are taken.
func Stopping() error { return send("STOPPING=1", "STATUS=open calls are ending") }

func line(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

func send(lines ...string) error {
	name := os.Getenv(socketEnv)
	if name == "" {
		return nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	defer c.Close()
	var b strings.Builder
	for _, l := range lines {
		if l != "" {
			b.WriteString(l + "\n")
		}
	}
	if _, err := c.Write([]byte(b.String())); err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	return nil
}
