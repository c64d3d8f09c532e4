package systemd_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/config"
)

const file = "scrim.service"

// unit is what a unit file says: the values of each key, by section.
type unit map[string][]string

func read(t *testing.T) unit {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	u, section := unit{}, ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line := strings.TrimSpace(sc.Text())
		switch key, value, ok := strings.Cut(line, "="); {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
		case !ok:
			t.Errorf("%q is neither a section nor a setting", line)
		default:
			u[section+"/"+key] = append(u[section+"/"+key], value)
		}
	}
	return u
}

func (u unit) one(t *testing.T, key string) string {
	t.Helper()
	if len(u[key]) != 1 {
		t.Fatalf("%s is set %d times, want once", key, len(u[key]))
	}
	return u[key][0]
}

func TestTheServiceIsToldAndStoppedAsTheGatewayExpects(t *testing.T) {
	u := read(t)
	for key, want := range map[string]string{
		"Service/Type": "notify", "Service/NotifyAccess": "main", "Service/KillSignal": "SIGTERM",
		"Service/ExecReload": "/bin/kill -HUP $MAINPID", "Service/ExecStart": "/usr/local/bin/scrim run -c /etc/scrim/scrim.yaml",
	} {
		if got := u.one(t, key); got != want {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
	stop, err := time.ParseDuration(u.one(t, "Service/TimeoutStopSec"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	yaml := filepath.Join(dir, "scrim.yaml")
	if err := os.WriteFile(yaml, []byte("version: 1\ndomain: clinic\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(yaml)
	if err != nil {
		t.Fatal(err)
	}
	drain := time.Duration(c.Timeouts.Notice) + time.Duration(c.Timeouts.Shutdown) + 5*time.Second
	if stop < 2*drain {
		t.Errorf("the service is killed after %s, want at least twice what a drain takes by default, %s", stop, drain)
	}
}

// What would let the service have more than its files, its directory and the network is not taken out by a later hand.
func TestTheServiceHasLittle(t *testing.T) {
	u := read(t)
	for key, want := range map[string]string{
		"DynamicUser": "yes", "StateDirectory": "scrim", "StateDirectoryMode": "0700", "UMask": "0077", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
		"ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "", "ProtectProc": "invisible",
		"ProtectKernelModules": "yes", "ProtectKernelTunables": "yes", "ProtectControlGroups": "yes", "RestrictNamespaces": "yes", "RestrictSUIDSGID": "yes",
		"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "LimitCORE": "0", "SystemCallArchitectures": "native",
	} {
		if got := u.one(t, "Service/"+key); got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if !slices.Contains(u["Service/SystemCallFilter"], "@system-service") {
		t.Error("system calls are not filtered")
	}
	for _, key := range []string{"Service/Environment", "Service/EnvironmentFile", "Service/SetCredential"} {
		if len(u[key]) > 0 {
			t.Errorf("%s is set: a secret there shows to everybody who may ask for the unit", key)
		}
	}
}

// systemd itself reads the unit, with a program that is there in the place of scrim.
func TestSystemdTakesTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("SCRIM_REQUIRE") != "" {
			t.Fatal("systemd-analyze is not here; it comes with systemd")
		}
		t.Skip("systemd-analyze is not here")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(text string) (string, error) {
		path := filepath.Join(t.TempDir(), file)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(analyze, "verify", "--man=no", path)
		out, err := cmd.CombinedOutput()
		var ours []string // it also says what it thinks of the units of this machine
		for line := range strings.SplitSeq(string(out), "\n") {
			if strings.Contains(line, file) {
				ours = append(ours, line)
			}
		}
		return strings.Join(ours, "\n"), err
	}
	good := strings.ReplaceAll(string(text), "/usr/local/bin/scrim", self)
	if out, err := verify(good); out != "" {
		t.Errorf("systemd says (%v):\n%s", err, out)
	}
	if out, _ := verify(strings.Replace(good, "DynamicUser=yes", "DynamicUsr=yes", 1)); out == "" {
		t.Error("a mistake in the unit goes unnoticed, so that this test shows nothing")
	}
}
