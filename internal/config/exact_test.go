package config

import "testing"

func TestExactNumbersStayExact(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "3": 3e9, "0.5": 5e8, "1e-9": 1, "1E-3": 1e6, "0.000000001": 1, "00012.50": 125e8, "1000e-3": 1e9, "9223372036": 9223372036e9, "10e-10": 1,
	} {
		var x Exact
		if err := x.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, ok := x.In(NanoPlaces); !ok || got != want {
			t.Errorf("%s in nano = %d, %v, want %d", text, got, ok, want)
		}
		if x.String() != text || !x.Given() {
			t.Errorf("%s is not as it was written: %s", text, x)
		}
	}
	for _, text := range []string{"1e-10", "0.1234567891", "9223372037", "1e300", "9223372036.854775807"} {
		var x Exact
		if err := x.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if n, ok := x.In(NanoPlaces); ok {
			t.Errorf("%s in nano = %d, want none: it is not exact, or stands for no bound", text, n)
		}
	}
	for _, text := range []string{"", "-1", "+1", ".5", "1e", "NaN", "inf", "Infinity", "0x10", "1_000", "1e401", "1.2.3", " 1", "1e-6 ", "12345678901234567890123456789012345678901"} {
		var x Exact
		if err := x.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %+v", text, x)
		}
	}
}

func FuzzExact(f *testing.F) {
	for _, s := range []string{"3", "0.5", "1e-6", "00.10e2", "1e400"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var x Exact
		if x.UnmarshalText([]byte(text)) != nil {
			return
		}
		nano, ok := x.In(NanoPlaces)
		femto, finer := x.In(FemtoPlaces)
		if nano < 0 || femto < 0 || ok && finer && femto != nano*1_000_000 {
			t.Errorf("%q is %d nano and %d femto", text, nano, femto)
		}
	})
}
