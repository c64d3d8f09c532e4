package cli

import (
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
)

func TestDoctorGradesTheLog(t *testing.T) {
	days := func(n float64) api.LogSize {
		var s api.LogSize
		s.DaysLeft = &n
		return s
	}
	for name, c := range map[string]struct {
		say  func(*doctor)
		want verdict
	}{
		"in time": {func(d *doctor) { d.behind(api.LogSize{MergeDelay: 10 * time.Second, Waiting: 3, Oldest: time.Second}) }, fine},
		"nearly too late": {func(d *doctor) {
			d.behind(api.LogSize{MergeDelay: 10 * time.Second, Waiting: 3, Oldest: 6 * time.Second})
		}, doubtful},
		"stopped":    {func(d *doctor) { d.behind(api.LogSize{MergeDelay: 10 * time.Second, Stopped: "full"}) }, wrong},
		"years":      {func(d *doctor) { d.logSize(days(900)) }, fine},
		"two months": {func(d *doctor) { d.logSize(days(60)) }, doubtful},
		"days":       {func(d *doctor) { d.logSize(days(3)) }, wrong},
		"unknown":    {func(d *doctor) { d.logSize(api.LogSize{}) }, fine},
	} {
		d := &doctor{}
		if c.say(d); d.worst != c.want {
			t.Errorf("%s: grade %d, want %d", name, d.worst, c.want)
		}
	}
}
