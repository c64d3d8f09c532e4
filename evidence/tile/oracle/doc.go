// Package oracle tests evidence/tile against another implementation of tlog-tiles: its client and its checker read what our writer
// wrote, and our reader reads what its POSIX driver wrote. It is a module of its own, of tests only, so that nobody who uses the log
// carries that driver, a logging library and OpenTelemetry.
package oracle
