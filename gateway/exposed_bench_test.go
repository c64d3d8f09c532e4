package gateway_test

import "testing"

// BenchmarkExposure is a message about one patient with three pieces of a combination, whole, with and without the memory; NoSync is not set, so
// that the transaction has the machine's fsync.
func BenchmarkExposure(b *testing.B) {
	for name, memory := range map[string]bool{"off": false, "on": true} {
		b.Run(name, func(b *testing.B) {
			rig := exposedRig(b, memory, exposedSchema)
			for b.Loop() {
				if _, err := show(rig, "partner", "t1", `{"data":{"id":"1","sex":"female","postal":"97701","born":"1957-03-14"}}`); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
