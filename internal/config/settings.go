package config

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// elsewhere are what Settings leaves out, because it says where state lies, or names what policies and contracts are compared by.
var elsewhere = []string{"version", "data", "store", "keys", "policies", "contracts"}

// Settings returns everything that the configuration says, defaults too, by path such as "agents/0/domain", and digests of the files that it refers to but
// policies and contracts, by "file:" and their names. Two configurations with the same settings, policies and contracts decide alike.
func (c *Config) Settings() map[string]string {
	out := map[string]string{}
	flatten(out, "", reflect.ValueOf(c).Elem())
	for name := range c.loaded.compared { // a contract that is read as something else, too, is compared as that
		sum := sha256.Sum256(c.loaded.content[name])
		out["file:"+name] = hex.EncodeToString(sum[:])
	}
	return out
}

// flatten adds what v holds below a path.
func flatten(out map[string]string, at string, v reflect.Value) {
	put := func(s string) {
		if s != "" {
			out[at] = s
		}
	}
	switch x := v.Interface().(type) {
	case Duration:
		put(time.Duration(x).String())
		return
	case time.Time:
		if !x.IsZero() {
			put(x.UTC().Format(time.RFC3339Nano))
		}
		return
	case Exact:
		put(x.text)
		return
	case Literal:
		if x.given {
			put("=" + x.text)
		}
		return
	case Decimal:
		if x.set {
			put(flow.Decimal(x.pico, 12))
		}
		return
	case encoding.TextMarshaler:
		if v.Kind() == reflect.Pointer && v.IsNil() {
			return
		}
		b, err := x.MarshalText()
		if err != nil {
			b = fmt.Appendf(nil, "%#v", v.Interface()) // differs where it differs
		}
		put(string(b))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if !f.IsExported() || name == "-" || at == "" && slices.Contains(elsewhere, name) {
				continue
			}
			flatten(out, below(at, name), v.Field(i))
		}
	case reflect.Map:
		out[below(at, "#")] = fmt.Sprint(v.Len())
		for _, k := range v.MapKeys() {
			flatten(out, below(at, fmt.Sprint(k.Interface())), v.MapIndex(k))
		}
	case reflect.Slice, reflect.Array:
		out[below(at, "#")] = fmt.Sprint(v.Len())
		for i := range v.Len() {
			flatten(out, below(at, fmt.Sprint(i)), v.Index(i))
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			out[below(at, "#")] = "1"
			flatten(out, at, v.Elem())
		}
	default:
		put(fmt.Sprint(v.Interface()))
	}
}

func below(at, name string) string {
	name = strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	switch {
	case at == "":
		return name
	case name == "":
		return at // a field that is read in place of its struct
	}
	return at + "/" + name
}
