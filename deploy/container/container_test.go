package container_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/internal/config"
)

// instruction is a line of a Containerfile, with the lines that it goes on in.
type instruction struct{ name, args string }

func instructions(t *testing.T) (all []instruction) {
	t.Helper()
	raw, err := os.ReadFile("Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.ReplaceAll(string(raw), "\\\n", " "), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, args, _ := strings.Cut(line, " ")
		if name != strings.ToUpper(name) {
			t.Errorf("%q is no instruction", line)
		}
		all = append(all, instruction{name, strings.TrimSpace(args)})
	}
	return all
}

// The image is made of nothing but the program, belongs to nobody, and says whether it is well.
func TestTheImageIsTheProgramAlone(t *testing.T) {
	all := instructions(t)
	last := 0
	for i, in := range all {
		if in.name == "FROM" {
			last = i
		}
	}
	if all[last].args != "scratch" {
		t.Fatalf("the image is made from %s, want scratch", all[last].args)
	}
	got := map[string]string{}
	for _, in := range all[last:] {
		switch in.name {
		case "RUN", "ADD", "ENV", "ARG":
			t.Errorf("%s in the last stage: there is no shell, and nothing is fetched or set", in.name)
		case "COPY":
			if !strings.HasPrefix(in.args, "--from=build ") {
				t.Errorf("COPY %s: only what was built goes in", in.args)
			}
		}
		got[in.name] = in.args
	}
	for name, want := range map[string]string{
		"USER": `^[1-9][0-9]{3,}:[1-9][0-9]{3,}$`, "HEALTHCHECK": `CMD \["/scrim", "health", "--admin", "127.0.0.1:7071"\]$`, "STOPSIGNAL": `^SIGTERM$`,
		"ENTRYPOINT": `^\["/scrim"\]$`, "CMD": `^\["run", "-c", "/etc/scrim/scrim.yaml"\]$`, "EXPOSE": `^7070$`, "VOLUME": `^\["/var/lib/scrim"\]$`,
	} {
		if !regexp.MustCompile(want).MatchString(got[name]) {
			t.Errorf("%s %s, want %s", name, got[name], want)
		}
	}
	var built bool
	for _, in := range all[:last] {
		built = built || in.name == "RUN" && strings.Contains(in.args, "CGO_ENABLED=0") && strings.Contains(in.args, "-trimpath")
	}
	if !built {
		t.Error("the program is not built static and without paths of the machine")
	}
}

type service struct {
	Image    string            `yaml:"image"`
	Build    map[string]string `yaml:"build"`
	User     string            `yaml:"user"`
	ReadOnly bool              `yaml:"read_only"`
	CapDrop  []string          `yaml:"cap_drop"`
	Security []string          `yaml:"security_opt"`
	Tmpfs    []string          `yaml:"tmpfs"`
	Grace    string            `yaml:"stop_grace_period"`
	Restart  string            `yaml:"restart"`
	Memory   string            `yaml:"mem_limit"`
	Pids     int               `yaml:"pids_limit"`
	Networks []string          `yaml:"networks"`
	Ports    []string          `yaml:"ports"`
	Volumes  []string          `yaml:"volumes"`
}

type compose struct {
	Name     string             `yaml:"name"`
	Gateway  service            `yaml:"x-gateway"`
	Services map[string]service `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]struct{} `yaml:"volumes"`
}

// Each gateway of the example has the configuration that it is given, and no more of the machine than that.
func TestTheTwoDomainsOfTheExample(t *testing.T) {
	f, err := os.Open("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := yaml.NewDecoder(f)
	dec.KnownFields(true)
	var all compose
	if err := dec.Decode(&all); err != nil {
		t.Fatal(err)
	}
	if len(all.Services) != 2 || !all.Networks["between"].Internal {
		t.Fatalf("%d services, want 2 that meet where nobody else is", len(all.Services))
	}
	for name, s := range all.Services {
		if !s.ReadOnly || s.User != "65532:65532" || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.Security, "no-new-privileges:true") || s.Memory == "" || s.Pids == 0 {
			t.Errorf("%s may do more than it needs: %+v", name, s)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") || strings.HasSuffix(p, ":7071") {
				t.Errorf("%s: port %s is published to other machines, or is the console's", name, p)
			}
		}
		if !slices.Contains(s.Volumes, "./"+name+":/etc/scrim:ro") || !slices.Contains(s.Volumes, name+"-state:/var/lib/scrim") {
			t.Errorf("%s: volumes %q, want its configuration to be read and its state to stay", name, s.Volumes)
		}
		if _, ok := all.Volumes[name+"-state"]; !ok {
			t.Errorf("the volume of %s is not declared", name)
		}
		c, err := config.Load(filepath.Join(name, "scrim.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if string(c.Domain) != name || c.Data != "/var/lib/scrim" || c.Admin != "127.0.0.1:7071" || c.Listen != "0.0.0.0:7070" {
			t.Errorf("%s is configured for domain %s, data %s, admin %s, listen %s", name, c.Domain, c.Data, c.Admin, c.Listen)
		}
		grace, err := time.ParseDuration(s.Grace)
		if drain := time.Duration(c.Timeouts.Notice) + time.Duration(c.Timeouts.Shutdown) + 5*time.Second; err != nil || grace < drain+5*time.Second {
			t.Errorf("%s is killed after %s, and a drain takes %s", name, s.Grace, drain)
		}
	}
}
