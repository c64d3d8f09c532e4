package test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.LoadDir(filepath.Join("..", "scrim"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// render is what helm would send to a cluster, by template, after the values were held to their schema.
func render(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	c := load(t)
	caps := *chartutil.DefaultCapabilities
	caps.KubeVersion = chartutil.KubeVersion{Version: "v1.33.0", Major: "1", Minor: "33"}
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "gate", Namespace: "care", IsInstall: true}, &caps)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(c, all)
}

func readValues(t *testing.T, file string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := map[string]any{}
	if err := yaml.UnmarshalStrict(raw, &v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return v
}

// objects decodes each document strictly: a field that Kubernetes does not know, or that is there twice, is a mistake.
func objects(t *testing.T, out map[string]string) (all []any, text string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(out)) {
		if strings.HasSuffix(name, "NOTES.txt") {
			continue
		}
		for doc := range strings.SplitSeq(out[name], "\n---\n") {
			if strings.TrimSpace(doc) == "" {
				continue
			}
			text += "---\n" + strings.TrimSpace(doc) + "\n"
			var head struct{ Kind string }
			if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, doc)
			}
			var o any
			switch head.Kind {
			case "StatefulSet":
				o = new(apps.StatefulSet)
			case "ConfigMap":
				o = new(core.ConfigMap)
			case "Service":
				o = new(core.Service)
			case "NetworkPolicy":
				o = new(networking.NetworkPolicy)
			case "PodDisruptionBudget":
				o = new(policy.PodDisruptionBudget)
			case "PodMonitor", "PrometheusRule": // of an operator, which has no types here
				o = new(map[string]any)
			default:
				t.Errorf("%s: nobody expects a %q", name, head.Kind)
				continue
			}
			if err := yaml.UnmarshalStrict([]byte(doc), o); err != nil {
				t.Errorf("%s: %v\n%s", name, err, doc)
			}
			all = append(all, o)
		}
	}
	return all, text
}

func one[T any](t *testing.T, all []any) *T {
	t.Helper()
	var got *T
	for _, o := range all {
		if o, ok := o.(*T); ok {
			if got != nil {
				t.Fatalf("there are two of %T", o)
			}
			got = o
		}
	}
	if got == nil {
		t.Fatalf("there is no %T", got)
	}
	return got
}

// gateway is the container of the gateway, wherever it is in the pod.
func gateway(t *testing.T, pod core.PodSpec) core.Container {
	t.Helper()
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		if c.Name == "scrim" {
			return c
		}
	}
	t.Fatal("the pod has no gateway")
	return core.Container{}
}

var scrim string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "scrim")
	if err != nil {
		panic(err)
	}
	scrim = filepath.Join(dir, "scrim")
	build := exec.Command("go", "build", "-o", scrim, "./cmd/scrim")
	build.Dir, build.Env = filepath.Join("..", "..", ".."), append(os.Environ(), "GOFLAGS=-mod=readonly", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// Each mode and combination is what Kubernetes takes, is locked down, and runs by a configuration that scrim itself calls good.
func TestEveryModeIsGood(t *testing.T) {
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files of values (%v), want five or more", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			values := readValues(t, file)
			out, err := render(t, values)
			if err != nil {
				t.Fatal(err)
			}
			all, text := objects(t, out)
			golden := filepath.Join("testdata", "golden", name)
			if *update {
				if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || string(want) != text {
				t.Errorf("what is rendered differs from %s (%v); look at it, then run the test with -update", golden, err)
			}
			set := one[apps.StatefulSet](t, all)
			pod := set.Spec.Template.Spec
			c := gateway(t, pod)
			console(t, pod, c, one[core.ConfigMap](t, all))
			lockedDown(t, pod, c)
			drains(t, pod, one[core.ConfigMap](t, all))
			probed(t, values["mode"] == "sidecar", c)
			checked(t, pod, one[core.ConfigMap](t, all))
			for key, value := range set.Spec.Selector.MatchLabels {
				if set.Spec.Template.Labels[key] != value {
					t.Errorf("label %s is not that of the selector", key)
				}
				for _, o := range all {
					if s, ok := o.(*core.Service); ok && s.Spec.Selector[key] != value {
						t.Errorf("label %s of the service %s is not that of the selector", key, s.Name)
					}
				}
			}
		})
	}
}

func lockedDown(t *testing.T, pod core.PodSpec, c core.Container) {
	t.Helper()
	s := c.SecurityContext
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.AllowPrivilegeEscalation == nil ||
		*s.AllowPrivilegeEscalation || s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || s.SeccompProfile == nil {
		t.Errorf("the gateway may do more than it needs: %+v", s)
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken || pod.HostNetwork || pod.SecurityContext == nil ||
		pod.SecurityContext.FSGroupChangePolicy == nil || *pod.SecurityContext.FSGroupChangePolicy != core.FSGroupChangeOnRootMismatch {
		t.Error("the pod has a token, the host's network, or a volume whose keys others come to read")
	}
}

// console holds that the admin port is told to the cluster only with a certificate and a provider, that their files are mounted where the configuration reads
// them, and that the one thing nobody else may know is in no ConfigMap.
func console(t *testing.T, pod core.PodSpec, c core.Container, m *core.ConfigMap) {
	t.Helper()
	var y struct {
		Admin   string
		Console struct {
			TLS  struct{ Cert, Key string }
			OIDC *struct {
				Secret map[string]string `json:"client_secret"`
			}
		}
	}
	if err := yaml.Unmarshal([]byte(m.Data["scrim.yaml"]), &y); err != nil {
		t.Fatal(err)
	}
	told := slices.ContainsFunc(c.Ports, func(p core.ContainerPort) bool { return p.ContainerPort == 7071 })
	if beyond := !strings.HasPrefix(y.Admin, "127.0.0.1:"); told != beyond || beyond && (y.Console.TLS.Cert == "" || y.Console.OIDC == nil) {
		t.Errorf("the admin address is %s, its port told to the cluster: %t, certificate %q, provider %v", y.Admin, told, y.Console.TLS.Cert, y.Console.OIDC)
	}
	files := []string{y.Console.TLS.Cert, y.Console.TLS.Key}
	if y.Console.OIDC != nil {
		for from := range y.Console.OIDC.Secret {
			if from != "file" {
				t.Errorf("the client's secret comes from %q, and not from a file", from)
			}
		}
		files = append(files, y.Console.OIDC.Secret["file"])
	}
	for _, file := range files {
		if file != "" && !mounted(pod, c, file) {
			t.Errorf("%s is read, and no Secret is mounted there", file)
		}
	}
}

// mounted reports whether a file lies in a Secret that is mounted where it is read.
func mounted(pod core.PodSpec, c core.Container, file string) bool {
	return slices.ContainsFunc(c.VolumeMounts, func(m core.VolumeMount) bool {
		return m.MountPath == filepath.Dir(file) && m.ReadOnly && slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool {
			return v.Name == m.Name && v.Secret != nil && (len(v.Secret.Items) == 0 || v.Secret.Items[0].Path == filepath.Base(file))
		})
	})
}

// drains holds that a pod is not killed before its gateway has said goodbye.
func drains(t *testing.T, pod core.PodSpec, m *core.ConfigMap) {
	t.Helper()
	var c struct {
		Timeouts struct{ Notice, Shutdown string }
	}
	if err := yaml.Unmarshal([]byte(m.Data["scrim.yaml"]), &c); err != nil {
		t.Fatal(err)
	}
	var notice, shutdown int64
	if _, err := fmt.Sscanf(c.Timeouts.Notice+" "+c.Timeouts.Shutdown, "%ds %ds", &notice, &shutdown); err != nil {
		t.Fatal(err)
	}
	if got := *pod.TerminationGracePeriodSeconds; got < notice+shutdown+5+10 {
		t.Errorf("the pod is killed after %d s; notice, shutdown and last words take %d", got, notice+shutdown+5)
	}
}

// probed holds that whoever asks can reach what it asks: the kubelet comes from outside the pod's loopback.
func probed(t *testing.T, sidecar bool, c core.Container) {
	t.Helper()
	for name, p := range map[string]*core.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		switch {
		case p == nil:
			t.Errorf("there is no %s probe", name)
		case sidecar && (p.Exec == nil || p.Exec.Command[0] != "/scrim"):
			t.Errorf("%s: the gateway listens on loopback, and is asked from outside", name)
		case !sidecar && (p.HTTPGet == nil || p.HTTPGet.Port.StrVal != "agents" || p.HTTPGet.Path != map[string]string{"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}[name]):
			t.Errorf("%s probe: %+v", name, p.HTTPGet)
		}
	}
	if sidecar && (c.RestartPolicy == nil || *c.RestartPolicy != core.ContainerRestartPolicyAlways) {
		t.Error("the gateway is no sidecar of Kubernetes: it would end before the agent begins")
	}
}

// checked lays the files out as the pod mounts them, and asks scrim.
func checked(t *testing.T, pod core.PodSpec, m *core.ConfigMap) {
	t.Helper()
	dir := t.TempDir()
	for _, v := range pod.Volumes {
		if v.ConfigMap == nil {
			continue
		}
		for _, item := range v.ConfigMap.Items {
			text, ok := m.Data[item.Key]
			if !ok {
				t.Errorf("the pod mounts %s, which is not there", item.Key)
			}
			to := filepath.Join(dir, filepath.FromSlash(item.Path))
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(to, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.Command(scrim, "config", "check", "-c", filepath.Join(dir, "scrim.yaml")).CombinedOutput(); err != nil {
		t.Errorf("scrim config check: %v\n%s\n%s", err, out, m.Data["scrim.yaml"])
	}
}

// beyond are values of a console that others reach, with one of its own changed.
func beyond(change string) string {
	c := map[string]any{
		"address": "0.0.0.0:7071", "publicURL": "https://console.clinic.example", "tls": map[string]any{"secretName": "console-tls"},
		"oidc": map[string]any{"issuer": "https://login.clinic.example", "client_id": "console", "roles": []any{map[string]any{"role": "viewer", "groups": []any{"all"}}}},
	}
	var other map[string]any
	if err := yaml.Unmarshal([]byte(change), &other); err != nil {
		panic(err)
	}
	for name, v := range other {
		if m, ok := v.(map[string]any); ok && len(m) > 0 && name == "oidc" {
			maps.Copy(c[name].(map[string]any), m)
			continue
		}
		c[name] = v
	}
	text, err := yaml.Marshal(c)
	if err != nil {
		panic(err)
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		panic(err)
	}
	return "{mode: edge, domain: clinic, console: " + string(text) + "}"
}

// What the refused consoles are changed from is taken: each of them is refused for its change.
func TestAConsoleThatOthersReachIsTaken(t *testing.T) {
	v := map[string]any{}
	if err := yaml.Unmarshal([]byte(beyond("")), &v); err != nil {
		t.Fatal(err)
	}
	out, err := render(t, v)
	if err != nil {
		t.Fatal(err)
	}
	all, _ := objects(t, out)
	for _, rule := range one[networking.NetworkPolicy](t, all).Spec.Ingress {
		for _, p := range rule.Ports {
			if p.Port.IntVal == 7071 {
				t.Error("the policy lets somebody reach the console, and the values name nobody")
			}
		}
	}
}

// Values that make no sense are refused before anything reaches a cluster.
func TestValuesThatMakeNoSense(t *testing.T) {
	for name, values := range map[string]string{
		"no domain":                        `{mode: edge}`,
		"no such mode":                     `{mode: proxy, domain: clinic}`,
		"a domain that is none":            `{mode: edge, domain: "Clinic One"}`,
		"a value that nobody reads":        `{mode: edge, domain: clinic, replicas: 3}`,
		"central without a database":       `{mode: central, domain: clinic}`,
		"a database that is not used":      `{mode: edge, domain: clinic, postgres: {secretName: db}}`,
		"a sidecar of nobody":              `{mode: sidecar, domain: clinic}`,
		"an agent that is not beside it":   `{mode: edge, domain: clinic, sidecar: {containers: [{name: a, image: b}]}}`,
		"an admin address":                 `{mode: edge, domain: clinic, config: {admin: "0.0.0.0:7071"}}`,
		"state elsewhere":                  `{mode: edge, domain: clinic, config: {data: /tmp}}`,
		"no policy":                        `{mode: edge, domain: clinic, policies: {00-nothing.cedar: null}}`,
		"a policy outside its directory":   `{mode: edge, domain: clinic, policies: {"../x.cedar": ""}}`,
		"another scrim.yaml":               `{mode: edge, domain: clinic, files: {scrim.yaml: ""}}`,
		"a digest that is none":            `{mode: edge, domain: clinic, image: {repository: scrim, digest: latest}}`,
		"no time to drain":                 `{mode: edge, domain: clinic, drain: {noticeSeconds: 5, shutdownSeconds: 0}}`,
		"a monitor of nothing":             `{mode: edge, domain: clinic, metrics: {podMonitor: true}}`,
		"everybody may call":               `{mode: edge, domain: clinic, networkPolicy: {from: []}}`,
		"a secret with a way out":          `{mode: edge, domain: clinic, secrets: ["../token"]}`,
		"a port that opens to the world":   `{mode: edge, domain: clinic, service: {type: NodePort}}`,
		"a console without a provider":     beyond(`oidc: {}`),
		"a console whose provider is null": beyond(`oidc: null`),
		"a console without a certificate":  beyond(`tls: {secretName: ""}`),
		"a console whose tls is null":      beyond(`tls: null`),
		"a console for nobody":             beyond(`oidc: {roles: [], people: null}`),
		"a console of no name":             beyond(`publicURL: ""`),
		"a console over plain http":        beyond(`publicURL: "http://console.clinic.example"`),
		"a console at one address":         beyond(`address: "10.0.0.1:7071"`),
		"a console at no address":          beyond(`address: null`),
		"a secret among the values":        beyond(`oidc: {client_secret: {file: /tmp/x}}`),
		"no console at all":                `{mode: edge, domain: clinic, console: null}`,
		"a console beside an agent":        strings.Replace(beyond(``), "mode: edge", "mode: sidecar, sidecar: {containers: [{name: a, image: b}]}", 1),
		"a provider in the configuration":  `{mode: edge, domain: clinic, config: {console: {oidc: {issuer: "https://a.example"}}}}`,
		"a secret of no client":            `{mode: edge, domain: clinic, console: {clientSecret: {secretName: a}}}`,
		"a schema with a statement in it":  `{mode: central, domain: clinic, postgres: {secretName: db, schema: "a; drop"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			v := map[string]any{}
			if err := yaml.Unmarshal([]byte(values), &v); err != nil {
				t.Fatal(err)
			}
			if _, err := render(t, v); err == nil || !strings.Contains(err.Error(), "schema") {
				t.Errorf("error = %v, want that the schema refuses it", err)
			}
		})
	}
}

// A mistake in a template does not pass for a good object.
func TestUnknownFieldsAreFound(t *testing.T) {
	var s core.Service
	if err := yaml.UnmarshalStrict([]byte("kind: Service\nspec: {portz: []}\n"), &s); err == nil {
		t.Error("a field that Kubernetes does not know is read, so that the tests of this package show little")
	}
	var b bytes.Buffer
	for name := range load(t).Values {
		b.WriteString(name + " ")
	}
	if !strings.Contains(b.String(), "domain") {
		t.Errorf("the chart has the values %s", b.String())
	}
}
