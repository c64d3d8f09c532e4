package notify

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// monotonic is when the reload began, which a service of Type=notify-reload has to say.
func monotonic() string {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return ""
	}
	return fmt.Sprintf("MONOTONIC_USEC=%d", ts.Nano()/1000)
}
