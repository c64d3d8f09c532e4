package config

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// pattern is a form that texts of the file have. Re goes into the JSON Schema; check, where there is one, is exact.
type pattern struct {
	re    *regexp.Regexp
	check func(string) bool
	what  string
	hint  string
}

func (p pattern) fits(s string) bool {
	if p.check != nil {
		return p.check(s)
	}
	return p.re == nil || p.re.MatchString(s)
}

var patterns = map[string]pattern{
	"id":           {re: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`), what: "a name", hint: "letters, digits, dots, dashes and underscores, at most 63"},
	"address":      {re: regexp.MustCompile(`:[0-9]{1,5}$`), check: isAddress, what: "an address", hint: "host:port, such as 127.0.0.1:7070, with a port up to 65535"},
	"url":          {re: regexp.MustCompile(`^https?://`), check: isURL, what: "a URL that can be used here", hint: "http:// or https:// with a host, without user, password, query or fragment"},
	"env":          {re: regexp.MustCompile(`^[A-Z_][A-Z0-9_]*$`), what: "the name of an environment variable", hint: "capitals, digits and underscores; the secret itself does not belong here"},
	"header":       {re: regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`), what: "the name of a header", hint: "letters, digits and dashes"},
	"word":         {re: regexp.MustCompile(`^[A-Za-z]{1,16}$`), what: "a word", hint: "such as Bearer"},
	"sha256":       {re: regexp.MustCompile(`^[0-9a-f]{64}$`), what: "a SHA-256 digest", hint: "64 hexadecimal digits; the key itself does not belong here"},
	"labels":       {re: regexp.MustCompile(`^(\*|[a-z0-9-]+(/[a-z0-9-]+)*)$`), what: "a label", hint: "lower-case words with slashes between them, or \"*\" for all"},
	"bundle":       {re: regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`), what: "the name of a bundle", hint: "lower-case letters, digits and dashes, at most 63"},
	"label":        {re: regexp.MustCompile(`^[a-z0-9-]+(/[a-z0-9-]+)*$`), what: "a label", hint: "lower-case words with slashes between them, such as person/contact/fax"},
	"country":      {re: regexp.MustCompile(`^[A-Z]{2}$`), what: "the code of a country", hint: "two capitals, as ISO 3166-1 has them, such as CH"},
	"cover":        {re: regexp.MustCompile(`^(\*|[a-z0-9-]+(/[a-z0-9-]+)*)$`), what: "a label", hint: "lower-case words with slashes between them, such as person/contact, or * for all"},
	"prefix":       {re: regexp.MustCompile(`^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$`), check: isPrefix, what: "a network or an address", hint: "such as 10.0.0.0/8, with no bits set after the slash's length, or 10.1.2.3"},
	"spiffe-id":    {re: regexp.MustCompile(`^spiffe://[a-z0-9._-]+/`), check: isSPIFFEID, what: "a SPIFFE ID", hint: "spiffe://trust-domain/path, without a slash at its end"},
	"trust-domain": {re: regexp.MustCompile(`^[a-z0-9._-]{1,255}$`), check: isTrustDomain, what: "the name of a trust domain", hint: "lower-case letters, digits, dots, dashes and underscores"},
	"workload-api": {re: regexp.MustCompile(`^(unix|tcp|npipe):`), check: isWorkloadAPI, what: "the address of a Workload API", hint: "such as unix:///run/spire/agent.sock, or tcp:// with an address of this machine and a port"},
	"schema":       {re: regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`), check: isSchema, what: "the name of a database's schema", hint: "lower-case letters, digits and underscores, at most 63, and none of PostgreSQL's own"},
	"name":         {re: regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`), what: "a name that a question can use", hint: "lower-case letters, digits and underscores, at most 63; what the source calls it is another key"},
	"path":         {re: regexp.MustCompile(`^/`), what: "a pattern of places", hint: `it begins with /, such as "/**"`},
}

func isSchema(s string) bool { return !strings.HasPrefix(s, "pg_") && s != "information_schema" }

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil && u.RawQuery == "" && u.Fragment == "" && !u.ForceQuery
}

// isLoopback reports whether the host of an address or URL is this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	return host
}

func urlHost(s string) (host string, plain bool) {
	u, err := url.Parse(s)
	if err != nil {
		return "", false
	}
	return u.Hostname(), u.Scheme == "http"
}
