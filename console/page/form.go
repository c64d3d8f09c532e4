package page

import (
	"encoding"
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
)

const (
	formToken = "form_token"
	mostBody  = 4 << 20
)

// readJSON decodes a body strictly. What encoding/json says of a mistake may repeat the body, so it is not told.
func readJSON(w http.ResponseWriter, r *Request, into any) error {
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(media) != "application/json" {
		return Wrong("the body is not application/json")
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil || dec.More() {
		return Wrong("the body is not what this call takes")
	}
	return nil
}

// readForm fills the members of a struct by their json names.
func readForm(w http.ResponseWriter, r *Request, into any) error {
	r.Body = http.MaxBytesReader(w, r.Body, mostBody)
	if err := r.ParseForm(); err != nil {
		return Wrong("the form cannot be read, or it is too long")
	}
	return Decode(r.PostForm, into)
}

// Decode fills the members of a struct from a form or a query by their json names. A name that it does not have is passed over; a text that
// is not of a member's type is a [Mistake] that names the member.
func Decode(from url.Values, into any) error {
	v := reflect.ValueOf(into).Elem()
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if !sf.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = sf.Name
		}
		given, ok := from[name]
		if !ok {
			continue
		}
		if err := set(v.Field(i), given); err != nil {
			return Wrong("%s: %v", name, err)
		}
	}
	return nil
}

// Number reads a parameter of the query that is a whole number from 0; absent: fallback. Another text is a [Mistake] that names the parameter.
func Number[N int | int64](r *Request, name string, fallback N) (N, error) {
	text := r.Q(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, reflect.TypeFor[N]().Bits())
	if err != nil || n < 0 {
		return 0, Wrong("%s: it is not a whole number from 0", name)
	}
	return N(n), nil
}

func set(v reflect.Value, given []string) error {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8 {
		s := reflect.MakeSlice(v.Type(), len(given), len(given))
		for i, g := range given {
			if err := set(s.Index(i), []string{g}); err != nil {
				return err
			}
		}
		v.Set(s)
		return nil
	}
	text := given[len(given)-1]
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		return setTime(t, text)
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if text == "" {
			return nil
		}
		if u.UnmarshalText([]byte(text)) != nil {
			return Wrong("it is none of the words that are known here")
		}
		return nil
	}
	return setPlain(v, text)
}

func setTime(t *time.Time, text string) (err error) {
	if text == "" {
		return nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if *t, err = time.Parse(form, text); err == nil {
			return nil
		}
	}
	return Wrong("it is not a time such as 2026-03-02T09:00:00Z")
}

func setPlain(v reflect.Value, text string) error {
	switch v.Kind() {
	case reflect.String:
		v.SetString(strings.ReplaceAll(text, "\r\n", "\n"))
	case reflect.Bool:
		v.SetBool(text != "" && text != "false" && text != "0")
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil && text != "" {
			return Wrong("it is not a whole number")
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil && text != "" {
			return Wrong("it is not a number")
		}
		v.SetFloat(n)
	case reflect.Slice: // of bytes
		v.SetBytes([]byte(strings.ReplaceAll(text, "\r\n", "\n")))
	default:
		return Wrong("it cannot be sent in a form")
	}
	return nil
}
