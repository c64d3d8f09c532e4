package egress_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/gateway/egress"
)

func TestOnlyPublicAddressesAreAllowed(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.216.34": true, "8.8.8.8": true, "2606:2800:220:1::1": true, "100.63.255.255": true, "172.32.0.1": true,
		"127.0.0.1": false, "127.255.0.9": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false, "172.31.255.255": false,
		"192.168.1.1": false, "169.254.169.254": false, "169.254.0.1": false, "100.64.0.1": false, "100.100.100.200": false, "168.63.129.16": false,
		"192.0.0.192": false, "192.0.2.1": false, "198.18.0.1": false, "198.51.100.1": false, "203.0.113.9": false, "224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false,
		"::": false, "::1": false, "fe80::1": false, "fec0::1": false, "fc00::1": false, "fd00:ec2::254": false, "ff02::1": false,
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:8.8.8.8": true, "::127.0.0.1": false, "::8.8.8.8": false,
		"64:ff9b::7f00:1": false, "64:ff9b::808:808": false, "64:ff9b:1::1": false, "2002:7f00:1::": false, "2001::1": false, "2001:db8::1": false, "100::1": false, "3fff::1": false,
	} {
		if got := egress.Allowed(netip.MustParseAddr(text), nil); got != want {
			t.Errorf("Allowed(%s) = %v, want %v", text, got, want)
		}
	}
	if egress.Allowed(netip.Addr{}, nil) || egress.Allowed(netip.MustParseAddr("2606:2800:220:1::1%eth0"), nil) {
		t.Error("Allowed is true for no address, or for one in a zone")
	}
}

func TestMetadataIsOpenedByNameAlone(t *testing.T) {
	meta := netip.MustParseAddr("169.254.169.254")
	for text, want := range map[string]bool{"169.254.0.0/16": false, "0.0.0.0/0": false, "169.254.169.254/32": true} {
		if got := egress.Allowed(meta, []netip.Prefix{netip.MustParsePrefix(text)}); got != want {
			t.Errorf("Allowed(metadata) with %s = %v, want %v", text, got, want)
		}
	}
	if !egress.Allowed(netip.MustParseAddr("::ffff:10.0.0.1"), []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}) {
		t.Error("a mapped address is not taken for what it is")
	}
}

func TestCheckRefusesForms(t *testing.T) {
	public := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
	}
	inside := func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("10.0.0.1")}, nil
	}
	nobody := func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }
	for _, c := range []struct {
		address string
		opt     egress.Options
		want    error
	}{
		{"https://hooks.example/x?y=1", egress.Options{Resolve: public}, nil},
		{"https://93.184.216.34/x", egress.Options{}, nil},
		{"http://hooks.example/x", egress.Options{Resolve: public}, egress.ErrURL},
		{"http://hooks.example/x", egress.Options{Resolve: public, Plain: true}, nil},
		{"https://hooks.example:8443/x", egress.Options{Resolve: public}, egress.ErrAddress},
		{"https://hooks.example:8443/x", egress.Options{Resolve: public, Ports: []uint16{8443}}, nil},
		{"https://hooks.example:22/x", egress.Options{Resolve: public, Ports: []uint16{0}}, nil},
		{"https://hooks.example/x", egress.Options{Resolve: inside}, egress.ErrAddress},
		{"https://hooks.example/x", egress.Options{Resolve: nobody}, egress.ErrAddress},
		{"https://169.254.169.254/latest", egress.Options{}, egress.ErrAddress},
		{"https://[::ffff:7f00:1]/", egress.Options{}, egress.ErrAddress},
		{"https://user:pw@hooks.example/", egress.Options{Resolve: public}, egress.ErrURL},
		{"https://hooks.example/#f", egress.Options{Resolve: public}, egress.ErrURL},
		{"https:hooks.example", egress.Options{Resolve: public}, egress.ErrURL},
		{"https:///x", egress.Options{Resolve: public}, egress.ErrURL},
		{"https://hooks.example:0/", egress.Options{Resolve: public}, egress.ErrURL},
		{"https://hooks.example:99999/", egress.Options{Resolve: public}, egress.ErrURL},
		{"file:///etc/passwd", egress.Options{}, egress.ErrURL},
		{"gopher://hooks.example/", egress.Options{Resolve: public}, egress.ErrURL},
		{"https://hooks.example/a b", egress.Options{Resolve: public}, egress.ErrURL},
		{"https://hooks.example/" + strings.Repeat("a", 2048), egress.Options{Resolve: public}, egress.ErrURL},
		{"", egress.Options{}, egress.ErrURL},
	} {
		if err := c.opt.Check(context.Background(), c.address); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("Check(%q) = %v, want %v", c.address, err, c.want)
		}
	}
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func get(t *testing.T, c *http.Client, address string) (int, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}

func TestClientConnectsOnlyWhereItMay(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, "/ok", http.StatusFound)
		case "/long":
			_, _ = io.WriteString(w, strings.Repeat("x", 1001))
		default:
			_, _ = io.WriteString(w, "ok")
		}
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	if _, _, err := get(t, egress.Client(egress.Options{Ports: []uint16{0}, Roots: roots}), srv.URL); !errors.Is(err, egress.ErrAddress) || hits.Load() != 0 {
		t.Errorf("loopback: error = %v after %d calls, want ErrAddress and none", err, hits.Load())
	}
	if _, _, err := get(t, egress.Client(egress.Options{Allow: loopback, Roots: roots}), srv.URL); !errors.Is(err, egress.ErrAddress) || hits.Load() != 0 {
		t.Errorf("another port: error = %v after %d calls, want ErrAddress and none", err, hits.Load())
	}
	open := egress.Client(egress.Options{Allow: loopback, Ports: []uint16{0}, Roots: roots, Bytes: 1000})
	if status, body, err := get(t, open, srv.URL+"/ok"); status != 200 || body != "ok" || err != nil {
		t.Errorf("allowed: %d %q %v", status, body, err)
	}
	if status, _, err := get(t, open, srv.URL+"/away"); status != http.StatusFound || err != nil {
		t.Errorf("a redirect was followed: %d %v", status, err)
	}
	if _, body, err := get(t, open, srv.URL+"/long"); !errors.Is(err, egress.ErrTooBig) || len(body) > 1000 {
		t.Errorf("a long answer: %d bytes, %v, want ErrTooBig", len(body), err)
	}
	if _, _, err := get(t, egress.Client(egress.Options{Allow: loopback, Ports: []uint16{0}}), srv.URL); err == nil {
		t.Error("a certificate that nobody vouches for is believed")
	}
	if _, _, err := get(t, open, strings.Replace(srv.URL, "https", "http", 1)); !errors.Is(err, egress.ErrURL) {
		t.Errorf("plain http: error = %v, want ErrURL", err)
	}
}

func TestNoProxyOfTheEnvironmentIsUsed(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was asked") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	_, _, err := get(t, egress.Client(egress.Options{Plain: true, Ports: []uint16{0}}), "http://10.9.9.9:1/")
	if !errors.Is(err, egress.ErrAddress) {
		t.Errorf("error = %v, want ErrAddress", err)
	}
}

// A name that was harmless when it was checked leads to this host when it is called.
func TestANameThatMeansSomethingElseLater(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer srv.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(srv.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	var moved atomic.Bool
	names := rebinding(t, &moved)
	opt := egress.Options{Plain: true, Ports: []uint16{0}}
	address := "http://hook.rebind.test:" + port + "/"
	if err := opt.Check(context.Background(), address); err != nil {
		t.Fatalf("Check() = %v, want nil: at first the name is public", err)
	}
	moved.Store(true)
	if _, _, err := get(t, egress.Client(opt), address); !errors.Is(err, egress.ErrAddress) {
		t.Errorf("error = %v, want ErrAddress", err)
	}
	if hits.Load() != 0 || names.Load() < 2 {
		t.Errorf("%d calls came through, %d names were asked for", hits.Load(), names.Load())
	}
}

// rebinding makes the process ask a server of names that answers with a public address first, and with loopback once the name has moved.
func rebinding(t *testing.T, moved *atomic.Bool) *atomic.Int32 {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			out, address := answer(buf[:n])
			if address != nil {
				copy(address, []byte{93, 184, 216, 34})
				if asked.Add(1); moved.Load() {
					copy(address, []byte{127, 0, 0, 1})
				}
			}
			_, _ = pc.WriteTo(out, from)
		}
	}()
	old := net.DefaultResolver
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("udp", pc.LocalAddr().String())
	}}
	t.Cleanup(func() {
		net.DefaultResolver = old
		_ = pc.Close()
		<-done
	})
	return &asked
}

// answer makes the answer to a question of RFC 1035, with room for an address where one is asked for.
func answer(query []byte) (out, address []byte) {
	end := 12
	for end < len(query) && query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	if end > len(query) {
		return nil, nil
	}
	out = append(out, query[:end]...)
	copy(out[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
	if query[end-3] != 1 { // not a question for an A record
		return out, nil
	}
	out[7] = 1
	out = append(out, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0)
	return out, out[len(out)-4:]
}

func ExampleClient() {
	client := egress.Client(egress.Options{})
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://169.254.169.254/latest/meta-data/", nil)
	_, err := client.Do(req)
	fmt.Println(errors.Is(err, egress.ErrAddress))
	// Output: true
}

// Whatever a stranger calls an address, what passes the check has a form that says where it leads.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{"https://a.example/x", "https://[::1]/", "http://2130706433/", "https://127.1/", "https://a@b/", "https://a.example:443\\@b/"} {
		f.Add(s)
	}
	opt := egress.Options{Resolve: func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
	}}
	f.Fuzz(func(t *testing.T, address string) {
		if opt.Check(context.Background(), address) != nil {
			return
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Hostname() == "" || u.Port() != "" && u.Port() != "443" {
			t.Errorf("Check(%q) = nil", address)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !egress.Allowed(a, nil) {
			t.Errorf("Check(%q) = nil", address)
		}
	})
}
